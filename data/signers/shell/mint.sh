#!/bin/sh
# mint.sh EMAIL -- prints a token for EMAIL, valid for one hour: for cron jobs and tests.
# Tested with Debian 12's dash and OpenSSL 3.0. Not for the web: it signs what it is told, so it refuses to run as a CGI program.
#
# 1. EMAIL comes from you or your own database, never from a visitor.
# 2. Only an email that your site has verified is signed.
# 3. The secret stays in the environment, POSTERN_SIGNING_KEY. All options by which openssl takes an HMAC key put it on the
#    command line, where every user of the machine reads it; so the two hashes of an HMAC (RFC 2104) are made here, and the
#    secret goes only through pipes.
set -eu
set +x
export LC_ALL=C

die() {
	echo "mint.sh: $2" >&2
	exit "$1"
}

[ -z "${GATEWAY_INTERFACE:-}" ] || die 2 "not a CGI program"
[ $# = 1 ] || die 2 "usage: mint.sh EMAIL"
[ "$(command -v printf)" = printf ] || die 3 "printf is not built into this shell: use dash or bash"
for program in openssl od; do command -v "$program" >/dev/null || die 3 "$program is missing"; done
key=${POSTERN_SIGNING_KEY:-}
kid=${POSTERN_SIGNING_KID:-}
unset POSTERN_SIGNING_KEY
case "$key" in *[!!-~]*) die 3 "POSTERN_SIGNING_KEY has a space, or what is not ASCII" ;; esac
[ "${#key}" -ge 32 ] || die 3 "POSTERN_SIGNING_KEY is missing or too short"
case "$kid" in *[!A-Za-z0-9_-]*) die 3 "POSTERN_SIGNING_KID is not a kid" ;; esac
# shellcheck disable=SC1083  # a brace is a letter of an email
case "$1" in
*[!A-Za-z0-9.@!#%\&\'*+/=?^_\`{\|}~-]* | *@*@* | @* | *@) die 2 "not an email" ;;
*@*) ;;
*) die 2 "not an email" ;;
esac
email=$(printf %s "$1" | tr '[:upper:]' '[:lower:]')    # in the C locale: A to Z only

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
sha256() { openssl dgst -sha256 -binary; }
key_bytes() { if [ "${#key}" -gt 64 ]; then printf %s "$key" | sha256; else printf %s "$key"; fi; }

# The 64 bytes of the key, each XOR $1, as octal escapes for printf. printf is the shell's own: no process has them as arguments.
pad() {
	key_bytes | od -An -v -tu1 | {
		bytes=0
		while read -r line; do
			for byte in $line; do printf '\\%03o' $((byte ^ $1)); bytes=$((bytes + 1)); done
		done
		while [ "$bytes" -lt 64 ]; do printf '\\%03o' "$1"; bytes=$((bytes + 1)); done
	}
}

# shellcheck disable=SC2059  # the escapes are the format
hmac() {
	{ printf "$(pad 92)"; { printf "$(pad 54)"; printf %s "$1"; } | sha256; } | sha256
}

now=$(date +%s)
header=$(printf '{"alg":"HS256","typ":"JWT"%s}' "${kid:+,\"kid\":\"$kid\"}" | base64url)
payload=$(printf '{"email":"%s","iat":%d,"exp":%d}' "$email" "$now" $((now + 3600)) | base64url)
signature=$(hmac "$header.$payload" | base64url)
[ "${#signature}" = 43 ] || die 3 "openssl failed"
printf '%s\n' "$header.$payload.$signature"
