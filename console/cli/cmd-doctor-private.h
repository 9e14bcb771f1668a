/* cmd-doctor-private.h -- what the files of doctor share: one list of findings, which every part adds to, and how it
 * is printed. */
#ifndef POSTERN_CONSOLE_CLI_CMD_DOCTOR_PRIVATE_H
#define POSTERN_CONSOLE_CLI_CMD_DOCTOR_PRIVATE_H

#include "console/cli/cli.h"

/* doctor-health.c */
json_t *health_json(const struct health *h, json_t *expiry);
void    health_print(const struct health *h, json_t *expiry);

/* doctor-print.c: every finding a line, then what is to be done. */
void    findings_print(const struct findings *f);
/* EXIT_YES: no warning and nothing wrong. */
int     findings_exit(const struct findings *f);

/* probe.c: --url and --mint, in the place of what is looked at here. EXIT_YES or the exit code; what was found is in found. */
bool    probes_asked(const struct call *c);
int     probes_run(struct call *c, struct findings *found);

#endif
