# The one file on a machine without Node.js: copy it, start it, make a call.
set -euo pipefail
. /packages/first-call.sh

if command -v node; then exit 3; fi
install -m 755 /packages/coturn-exporter /usr/local/bin/coturn-exporter
coturn-exporter --version
coturn-exporter --session.linger=1s >/tmp/records 2>/tmp/log &
exporter=$!
first_call /tmp/records
kill "$exporter"
wait "$exporter"
