/* signals.h -- the signals a program on the whole screen answers, and giving the terminal back when it dies of one.
 * No curses here: what runs in a handler writes bytes that were made before.
 *
 * SIGTERM, SIGHUP and SIGINT ask the program to end: a flag, and a descriptor that becomes readable. If it has not
 * ended some seconds later, because it waits for a terminal that takes no more bytes, the terminal is given back and
 * the process gone. SIGSEGV and whatever else kills: likewise, then by the signal's default; a sanitizer that handles
 * one keeps it. */
#ifndef POSTERN_CONSOLE_TUI_SIGNALS_H
#define POSTERN_CONSOLE_TUI_SIGNALS_H

#include "base/codes.h"
#include "base/span.h"

#include <termios.h>

bool     signals_take(void);           /* false: the system refused; nothing was taken. Once a process */
void     signals_leave(void);          /* what they did before; fine where they were not taken */

int      signals_fd(void);             /* readable: ask signals_came() */
enum { CAME_RESIZE = 1, CAME_SUSPEND = 2, CAME_CONTINUE = 4 };
unsigned signals_came(void);           /* bits, since last asked; after it signals_fd() is not readable */
int      signals_stop(void);           /* the number of the signal that asks the program to end; 0: none */

/* Stops the process and its group as Ctrl-Z does; returns once it is continued, or at once where no shell could do
 * that. */
void     signals_suspend(void);

/* What gives the terminal back: its modes, then these bytes, which are copied. fd -1: it is given back. */
#define RESCUE_MAX 2048
void     signals_rescue(int fd, const struct termios *modes, struct span bytes);

/* Where standard error is a terminal, what is written there would be drawn across the screen: it is held, and comes
 * out at the release, or when the process dies. */
void     stderr_hold(void);
void     stderr_release(void);

#endif
