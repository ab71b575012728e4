# A first call as a new user makes it, with Debian's coturn; the exporter runs already. To be sourced.
# shellcheck shell=bash

# Waits until a command works.
await() {
	for _ in $(seq 300); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	echo "in vain: $*" >&2
	return 1
}

metrics() {
	curl -sf http://127.0.0.1:10641/metrics
}

is_connected() {
	metrics | grep -qxF 'coturn_up{source="statsdb"} 1'
}

# first_call RECORDS: makes one call, then shows what the metrics and the file of the records have.
first_call() {
	await curl -sf http://127.0.0.1:10641/readyz
	turnserver -n --no-cli -L 127.0.0.1 --allow-loopback-peers --lt-cred-mech -r example.org \
		-u alice:wonderland --userdb=/tmp/turndb --pidfile=/tmp/turnserver.pid --log-file=/tmp/turnserver.log \
		--redis-statsdb='ip=127.0.0.1 port=6380' >/tmp/turnserver.out 2>&1 &
	await is_connected
	await turnutils_stunclient -p 3478 127.0.0.1
	turnutils_uclient -t -y -c -n 100 -u alice -w wonderland 127.0.0.1 >/tmp/uclient.out 2>&1
	await grep -q session_finished "$1"
	metrics | grep -E '^coturn_(peer_sent_bytes_total|sessions_finished_total|exporter_build_info)'
	cat "$1"
}
