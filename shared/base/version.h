/* version.h -- which Postern this is. */
#ifndef POSTERN_BASE_VERSION_H
#define POSTERN_BASE_VERSION_H

#ifndef POSTERN_VERSION
#define POSTERN_VERSION "0.1.0"
#endif

#endif
