# The Debian package through its life: install, run, upgrade, remove, purge.
set -euo pipefail
. /packages/first-call.sh

if command -v node; then exit 3; fi
dpkg --install /packages/old.deb
getent passwd coturn-exporter
dpkg --verify coturn-exporter

# As the unit does, which needs a running systemd.
set -a
eval "$(sed -n 's/%%/%/g; s/^Environment=//p' /usr/lib/systemd/system/coturn-exporter.service)"
. /etc/default/coturn-exporter
set +a
install -d -o coturn-exporter -g coturn-exporter -m 750 /var/lib/coturn-exporter /var/log/coturn-exporter
start=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/coturn-exporter.service)
# shellcheck disable=SC2086
setpriv --reuid=coturn-exporter --regid=coturn-exporter --clear-groups $start --session.linger=1s 2>/tmp/log &
exporter=$!
records=${COTURN_EXPORTER_RECORDS_FILE/-%Y-%m-%d/}
first_call "$records"
kill "$exporter"
wait "$exporter"
test -s "$COTURN_EXPORTER_STATE_FILE"

echo '# edited' >>/etc/default/coturn-exporter
dpkg --install /packages/new.deb
dpkg-query --show coturn-exporter
grep -q '^# edited' /etc/default/coturn-exporter

dpkg --remove coturn-exporter
test ! -e /usr/bin/coturn-exporter
test -s "$records"
dpkg --purge coturn-exporter
ls -d /etc/default/coturn-exporter* /var/lib/coturn-exporter /var/log/coturn-exporter /usr/share/doc/coturn-exporter 2>/dev/null || echo purged
