/* screen.h -- the terminal. screen.c is the only file that calls curses; one thread, one screen a process.
 *
 * SIGTERM, SIGHUP and SIGINT only set a flag and wake screen_wait(); another size, being stopped and continued are
 * answered in screen_press(). Whatever ends the process, also a crash, gives the terminal back as it was: signals.h. */
#ifndef POSTERN_CONSOLE_TUI_SCREEN_H
#define POSTERN_CONSOLE_TUI_SCREEN_H

#include "console/tui/canvas.h"
#include "console/tui/keys.h"

enum colour_wish { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

/* AUTO: colour where the terminal has it, and NO_COLOR is empty or unset. ALWAYS: also against NO_COLOR.
 * RC_REFUSED with why: standard input or output is no terminal, TERM is unset, unknown, or too simple (dumb); it names
 * the commands to use instead. */
enum rc screen_open(enum colour_wish colour, struct why *why) MUST_CHECK;
void    screen_close(void);                     /* gives the terminal back; fine where it was never opened */

void    screen_size(int *ret_rows, int *ret_cols);
bool    screen_utf8(void);                      /* does the locale's character set hold more than ASCII: is it UTF-8? */

/* Waits until a key was pressed, a signal came, or ms have passed; -1: without end. true: a key may be there, or a
 * signal came. */
bool    screen_wait(int ms);
int     screen_press(void);                     /* the next key press (keys.h); PRESS_NONE: none is there */
int     screen_stopped(void);                   /* the number of the signal that asks the program to end; 0: none */

/* Brings the terminal to show c: only what differs is sent. A secret is written last, straight to the terminal, and
 * overwritten before anything else is sent once a canvas without it is shown. Where it does not fit whole it is not
 * shown. */
void    screen_show(const struct canvas *c);
void    screen_redraw(void);                    /* the next screen_show() sends everything */
void    screen_suspend(void);                   /* Ctrl-Z: gives the terminal to the shell until it is continued */

#endif
