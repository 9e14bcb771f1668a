/* loop.h -- wait, read keys, let the console act, draw. */
#ifndef POSTERN_CONSOLE_TUI_LOOP_H
#define POSTERN_CONSOLE_TUI_LOOP_H

#include "console/tui/console.h"

/* Until the user quits or a signal asks for it: RC_OK. RC_IO: the terminal is gone. RC_NOMEM. The screen is open. */
enum rc loop_run(struct console *c) MUST_CHECK;

#endif
