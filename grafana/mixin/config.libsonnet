{
  _config+:: {
    // The scrape job of the exporters.
    job: 'coturn-exporter',
    // The label that tells clusters apart, where one Prometheus (Mimir, Thanos) has several. Every
    // rule keeps it; where no series has it, nothing changes.
    clusterLabel: 'cluster',
    // The label that tells the two exporters of a pair apart. Of a pair one is counted: every rule
    // takes the greater of the two before it sums. Without the label nothing changes.
    replicaLabel: 'replica',
    // Where the runbook is; %s becomes the name of the alert in small letters.
    runbookUrlPattern: 'docs/runbook.md#%s',

    // Put before the titles of the dashboards, and what they are found by.
    dashboardNamePrefix: '',
    dashboardTags: ['coturn'],

    // The limits that depend on the installation. Rules of their own, so that graphs show them and
    // alerts read them: a limit is written in one place only.
    limits: {
      'coturn:client_bits_per_second:limit': {
        value: 1e9,
        help: "What one server may relay in each direction, client side, in bits per second: coturn's bps-capacity times 8, or half of its network card, because each byte goes in and out once. For all servers that have no limit of their own.",
      },
      'coturn:relay_ports:limit': {
        value: 16384,
        help: "Relay ports of one server: max-port - min-port + 1 of coturn (49152 to 65535), for each of its relay addresses.",
      },
      'coturn:sessions_before_drop:limit': {
        value: 25,
        help: 'A realm with fewer sessions than this half an hour ago has no "sudden drop": below it chance alone empties a realm now and then.',
      },
      'coturn:incomplete_sessions:limit': {
        value: 10,
        help: 'Sessions of a realm that may end in 15 minutes without an announcement of coturn.',
      },
      'coturn:missed_bytes:limit': {
        value: 1e6,
        help: 'Bytes repaired in 15 minutes that are still no reason to look.',
      },
      'coturn:gap_seconds:limit': {
        value: 60,
        help: 'Seconds of an hour in which events could not arrive that are still no reason to look.',
      },
      'coturn:silence_seconds:limit': {
        value: 600,
        help: 'How long sessions that relay nothing may be silent: the lifetime for which clients ask (600 s in browsers, which refresh after 540 s).',
      },
      'coturn:records_queued:limit': {
        value: 10000,
        help: 'Session records that may wait to be written while the destination takes others.',
      },
      'coturn:state_age_seconds:limit': {
        value: 600,
        help: 'Age of the newest state file, far above --state.interval, at which it is not kept any more.',
      },
      'coturn:unallocated_packets_per_second:limit': {
        value: 100,
        help: 'Packets per second without an allocation that are normal: health checks, plain STUN.',
      },
      'coturn:user_bits_per_second:limit': {
        value: 20e6,
        help: 'Bits per second, client side, below which no single user is worth an alert.',
      },
    },
    // Limits of single servers, by the value of the label `server`:
    //   'coturn:client_bits_per_second:limit': { 'turn1.example.org': 10e9 },
    serverLimits: {},
  },
}
