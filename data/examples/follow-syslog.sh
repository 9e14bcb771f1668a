#!/bin/sh
# follow-syslog.sh STATE -- every record of the audit log as a line of syslog, as it comes: in CEF, which most log collectors
# read. STATE is the file that keeps the place, so that a restart goes on where this ended.
#
# For a systemd service with Restart=always, as the user who owns Postern's data:
#     ExecStart=follow-syslog.sh /var/lib/postern-siem/state
#
# A crash repeats the records of a second or so. What was handed to logger is out of Postern's hands: where syslog may lose
# nothing, export to files (nightly-export.sh) as well.
set -eu

state=${1:?usage: follow-syslog.sh STATE}
postern=${POSTERN:-postern}
logger=${LOGGER:-logger}

"$postern" audit export --follow --format cef --state "$state" |
	"$logger" --tag postern --priority authpriv.notice --size 64KiB
