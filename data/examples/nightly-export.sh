#!/bin/sh
# nightly-export.sh DIR -- what came into the audit log since last night, as a file of its own in DIR that can be verified by
# itself: postern audit verify DIR/audit-2026-01-31-from-1234.jsonl
#
# For cron or a systemd timer, as the user who owns Postern's data:
#     15 3 * * *  nightly-export.sh /var/backups/postern-audit
#
# Nothing is skipped, nothing comes twice, and no file is ever half written: the export goes into DIR/.next, which is renamed
# once it is whole, and only then the place where the next one begins moves on. Killed anywhere in between, the next run makes
# the same file again, and it is named after the record it begins with.
set -eu
umask 077

dir=${1:?usage: nightly-export.sh DIR}
postern=${POSTERN:-postern}

exec 9>"$dir/.lock"
flock -n 9 || { echo "nightly-export.sh: another one is at work in $dir" >&2; exit 3; }

rm -f "$dir/.next" "$dir/.next-state"
first=0
if [ -e "$dir/state" ]; then
	cp -p "$dir/state" "$dir/.next-state"
	after=$(sed -n 's/^{"after":\([0-9]*\),.*/\1/p' "$dir/state")
	first=$((after + 1))
fi

"$postern" audit export --checkpoint --state "$dir/.next-state" > "$dir/.next"

rm -f "$dir"/audit-*-from-"$first".jsonl
mv "$dir/.next" "$dir/audit-$(date -u +%F)-from-$first.jsonl"
mv "$dir/.next-state" "$dir/state"

# Set KEEP_DAYS to remove files older than that, for example once they are in an archive.
if [ -n "${KEEP_DAYS:-}" ]; then
	find "$dir" -maxdepth 1 -name 'audit-*-from-*.jsonl' -mtime +"$KEEP_DAYS" -delete
fi
