/* admin.h -- the admin socket: connections are added, shown, tested, given new secrets, removed. */
#ifndef POSTERN_FCGI_APP_CONNECTD_ADMIN_H
#define POSTERN_FCGI_APP_CONNECTD_ADMIN_H

#include "fcgi-app/connectd/server.h"
#include "fcgi-app/connectd/store.h"

#define ADMIN_BODY_MAX (512 * 1024)

/* arg is the struct connect_store. */
void admin_handle(void *arg, const struct request *r, struct answer *ret);

#endif
