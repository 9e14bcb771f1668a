#!/bin/sh
# An order page that knows nothing of tokens: it shows the orders of whom the guard has named, and what it was told.
printf 'Content-Type: text/plain\r\n\r\n'
case "${POSTERN_DECISION-}" in
verified)	awk -v who="$POSTERN_EMAIL" '$1 == who { print "order", $2 }' "$(dirname "$0")/orders.txt" ;;
anonymous)	echo "sign in to see your orders" ;;
*)		echo "nobody has decided" ;;
esac
env | grep -a '^\(HTTP_\|REDIRECT_\)\{0,1\}\(X_\)\{0,1\}POSTERN' | sort
if [ "${CONTENT_LENGTH:-0}" -gt 0 ]; then echo "body $(head -c "$CONTENT_LENGTH" | wc -c)"; fi
