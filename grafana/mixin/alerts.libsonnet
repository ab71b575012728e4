// Alerts; what to do about each is in docs/runbook.md. They read limits from the series of the group
// `coturn-limits`.
{
  local config = $._config,
  // Where an alert stands apart from others of its kind.
  local exporter = '%(clusterLabel)s, job, instance' % config,
  local source = exporter + ', source',
  local server = exporter + ', server',
  local words = config { exporter: exporter, source: source, server: server },

  // Without the line end of a text that has but one line.
  local oneLine(text) =
    if std.length(std.findSubstr('\n', text)) == 1 then std.rstripChars(text, '\n') else text,

  local alert(name, severity, expr, options) = {
    alert: name,
    expr: oneLine(expr % words),
    [if 'hold' in options then 'for']: options.hold,
    labels: { severity: severity },
    annotations: {
      summary: options.summary,
      description: std.strReplace(std.stripChars(options.description, '\n'), '\n', ' '),
      runbook_url: config.runbookUrlPattern % std.asciiLower(name),
    },
  },

  local ofTheAlerting = [
    alert('CoturnWatchdog', 'none', 'vector(1)', {
      summary: 'Alerts of coturn-exporter arrive',
      description: 'This one fires always. Where it stops, Prometheus, its rules or the way to whom it alerts is broken.',
    }),
  ],

  local ofTheExporter = [
    alert('CoturnExporterDown', 'critical', |||
      max without (%(replicaLabel)s) (up{job="%(job)s"}) == 0
        or
      absent(up{job="%(job)s"})
    |||, {
      hold: '5m',
      summary: 'coturn-exporter {{ with $labels.instance }}at {{ . }} {{ end }}cannot be scraped',
      description: |||
        Prometheus got no metrics for 5 minutes, or has no target with job="%(job)s".
        Sessions that end now are in no record unless the process still runs.
      ||| % config,
    }),

    // The other one of the pair still sees everything, so nobody has to get up.
    alert('CoturnReplicaDown', 'warning', |||
      (
        up{job="%(job)s"} == 0
          and on (%(exporter)s)
        max without (%(replicaLabel)s) (up{job="%(job)s"}) == 1
      )
        or
      (
        coturn_up == 0
          and on (%(source)s)
        max without (%(replicaLabel)s) (coturn_up) == 1
      )
    |||, {
      hold: '10m',
      summary: 'One of the two exporters {{ $labels.instance }} is down or receives nothing',
      description: |||
        Replica {{ $labels.replica }} is missing; the other one still counts and records. If that
        one fails too, sessions are lost.
      |||,
    }),

    // An idle coturn 4.17 that lost its connection comes back only when it has something to say: an
    // embedded statsdb that never heard of one since the exporter started is no fault yet.
    alert('CoturnSourceDown', 'critical', |||
      max without (%(replicaLabel)s) (coturn_up) == 0
        unless on (%(source)s) (
          coturn_exporter_statsdb_connections
            and on (%(source)s)
          sum by (%(source)s) (coturn_exporter_events_total) == 0
        )
    |||, {
      hold: '5m',
      summary: 'No event can arrive from source {{ $labels.source }}',
      description: |||
        {{ $labels.instance }} is not subscribed to this Redis, or lost every coturn that was
        connected to the embedded statsdb, for 5 minutes. Traffic goes on, unseen.
      |||,
    }),

    alert('CoturnNeverConnected', 'warning', |||
      max without (%(replicaLabel)s) (coturn_up) == 0
        and on (%(source)s)
      coturn_exporter_statsdb_connections
        and on (%(source)s)
      sum by (%(source)s) (coturn_exporter_events_total) == 0
    |||, {
      hold: '24h',
      summary: 'No coturn has connected to source {{ $labels.source }} for a day',
      description: |||
        Since {{ $labels.instance }} was started no coturn has been heard of there. It may be idle
        all day; or it cannot reach the exporter.
      |||,
    }),

    // Sessions that relay report every 20 seconds or so: several are never silent for minutes. One
    // that holds an allocation and relays nothing (the call went peer to peer, or is on hold) only
    // refreshes, every 9 minutes in browsers. What is not refreshed is closed, so that this fires
    // only while the sessions still look alive. The start of the process stands for the first event.
    alert('CoturnNoEvents', 'warning', |||
      (
        time() - max by (%(exporter)s) (
          coturn_exporter_last_event_timestamp_seconds
            or
          process_start_time_seconds{job="%(job)s"}
        ) > 240
          and on (%(exporter)s)
        sum by (%(exporter)s) (max without (%(replicaLabel)s) (coturn_sessions{relayed="true"})) >= 5
      )
        or
      (
        time() - max by (%(exporter)s) (
          coturn_exporter_last_event_timestamp_seconds
            or
          process_start_time_seconds{job="%(job)s"}
        ) > on () group_left () max(coturn:silence_seconds:limit)
          and on (%(exporter)s)
        sum by (%(exporter)s) (max without (%(replicaLabel)s) (coturn_sessions)) > 0
      )
    |||, {
      summary: 'No event from coturn although sessions are live',
      description: 'The last event of {{ $labels.instance }} is {{ $value | humanizeDuration }} old.',
    }),

    // A server whose sessions ended by a word of its own is idle, and may be silent for days. One
    // that lost its last connection to the embedded statsdb has stopped, or its network has.
    alert('CoturnServerSilent', 'warning', |||
      (
        max by (%(server)s) (max without (%(replicaLabel)s) (coturn_server_connections)) == 0
          and on (%(exporter)s)
        max by (%(exporter)s) (max without (%(replicaLabel)s) (coturn_server_connections)) > 0
      )
        or
      (
        time() - max by (%(server)s) (
          max without (%(replicaLabel)s) (coturn_server_last_event_timestamp_seconds) > 0
        ) > on () group_left () max(coturn:silence_seconds:limit)
          and on (%(server)s)
        (
          sum by (%(server)s) (max without (%(replicaLabel)s) (coturn_allocations)) > 0
            or
          sum by (%(server)s) (max without (%(replicaLabel)s) (
            increase(coturn_allocations_closed_total{reason="expired"}[30m])
          )) > 0
        )
      )
    |||, {
      hold: '5m',
      summary: 'Coturn {{ $labels.server }} is silent',
      description: |||
        It has no connection to {{ $labels.instance }} while others have, or it held sessions of
        which nothing was heard for longer than a refresh takes. Its calls may have ended with it.
      |||,
    }),

    alert('CoturnEventsRejected', 'warning', |||
      sum by (%(source)s, reason) (
        max without (%(replicaLabel)s) (increase(coturn_exporter_events_rejected_total[15m]))
      ) > 10
    |||, {
      hold: '5m',
      summary: 'Events of source {{ $labels.source }} cannot be read ({{ $labels.reason }})',
      description: '{{ $value | humanize }} events in 15 minutes were rejected. What they told is missing.',
    }),

    alert('CoturnBytesMissed', 'warning', |||
      sum by (%(source)s) (
        max without (%(replicaLabel)s) (increase(coturn_exporter_missed_bytes_total[15m]))
      ) > on () group_left () max(coturn:missed_bytes:limit)
    |||, {
      summary: 'Messages of source {{ $labels.source }} were lost',
      description: |||
        {{ $value | humanize1024 }}B in 15 minutes arrived only in the totals at the end. The
        counters are right; the messages in between were lost on the way.
      |||,
    }),

    alert('CoturnUserSeriesLimitReached', 'warning', |||
      max without (%(replicaLabel)s) (coturn_exporter_users)
        >= (max without (%(replicaLabel)s) (coturn_exporter_user_series_limit) > 0)
    |||, {
      hold: '10m',
      summary: 'More live users than series for them',
      description: |||
        {{ $labels.instance }} has {{ $value }} live users; those beyond --user.max-series are
        summed in user="~other". Counters and records are not affected.
      |||,
    }),

    alert('CoturnRealmLimitReached', 'warning', |||
      group by (%(exporter)s) (coturn_allocations_created_total{realm="~other"})
        or
      group by (%(exporter)s) (coturn_unallocated_received_packets_total{realm="~other"})
    |||, {
      hold: '10m',
      summary: 'More realms than series for them',
      description: |||
        {{ $labels.instance }} sums the realms beyond --realm.max-series in realm="~other". Records
        are not affected.
      |||,
    }),

    alert('CoturnRecordWritesFailing', 'critical', |||
      sum by (%(exporter)s, %(replicaLabel)s) (
        increase(coturn_exporter_records_total{result="failed"}[10m])
      ) > 0
    |||, {
      summary: 'Session records cannot be written',
      description: |||
        {{ $value | humanize }} writes failed at {{ $labels.instance }} in 10 minutes. They
        wait in memory and are tried again, but memory is bounded and a kill loses them.
      |||,
    }),

    // What waits while others are written is a backlog; what waits while none is written is stuck.
    alert('CoturnRecordsQueued', 'warning', |||
      min_over_time(coturn_exporter_records_queued[10m])
        > on () group_left () max(coturn:records_queued:limit)
        or
      (
        min_over_time(coturn_exporter_records_queued[10m]) > 0
          and on (%(exporter)s, %(replicaLabel)s)
        increase(coturn_exporter_records_total{result="written"}[10m]) == 0
      )
    |||, {
      summary: 'Session records wait to be written',
      description: |||
        {{ $value | humanize }} records wait at {{ $labels.instance }} for 10 minutes or more,
        in memory: their destination takes none, or fewer than sessions finish.
      |||,
    }),

    alert('CoturnRecordsSpilled', 'critical', |||
      increase(coturn_exporter_records_spilled_total[15m]) > 0
    |||, {
      summary: 'Session records went to standard error, not to their destination',
      description: |||
        {{ $value | humanize }} records of {{ $labels.instance }} in 15 minutes are in its log
        only, because too many waited to be written.
      |||,
    }),

    alert('CoturnRecordFileDeleted', 'critical', |||
      increase(coturn_exporter_records_reopened_total{reason="deleted"}[15m]) > 0
    |||, {
      summary: 'The file of the session records was deleted',
      description: |||
        Somebody deleted the record file of {{ $labels.instance }} while it was written, and the
        records in it. A new one is open.
      |||,
    }),

    alert('CoturnStateFileDamaged', 'warning', |||
      coturn_exporter_state_bad_lines > 0
    |||, {
      summary: 'A part of the state file could not be read',
      description: |||
        {{ $labels.instance }} could not read {{ $value }} lines of its state file when it
        started; their sessions began anew.
      |||,
    }),

    // Without --state.file the time is 0 for ever.
    alert('CoturnStateSavesFailing', 'warning', |||
      sum by (%(exporter)s, %(replicaLabel)s) (
        increase(coturn_exporter_state_saves_total{result="failed"}[10m])
      ) > 0
        or
      max by (%(exporter)s, %(replicaLabel)s) (
        time() - (coturn_exporter_state_saved_timestamp_seconds > 0)
          > on () group_left () max(coturn:state_age_seconds:limit)
      )
    |||, {
      hold: '5m',
      summary: 'The state of live sessions cannot be saved',
      description: |||
        {{ $labels.instance }} could not write the file of --state.file. Nothing is missing yet;
        a restart now would cut the live sessions in two.
      |||,
    }),

    alert('CoturnWrongDatabase', 'warning', |||
      max without (%(replicaLabel)s) (coturn_exporter_source_wrong_database) == 1
    |||, {
      hold: '5m',
      summary: 'Source {{ $labels.source }} is another database than that of coturn',
      description: |||
        Events arrive at {{ $labels.instance }}, but the status keys of live allocations are not
        in this database: sessions from before its start are not found, and lost ends are noticed late.
      |||,
    }),

    alert('CoturnConnectionsRefused', 'warning', |||
      sum by (%(source)s, reason) (
        max without (%(replicaLabel)s) (increase(coturn_exporter_statsdb_connections_refused_total[15m]))
      ) > 3
    |||, {
      summary: 'Connections to source {{ $labels.source }} are refused ({{ $labels.reason }})',
      description: |||
        {{ $value | humanize }} in 15 minutes at {{ $labels.instance }}. If it is a coturn, its
        traffic is not seen.
      |||,
    }),

    // A coturn that was given another password sends it with every attempt; a person seldom does.
    alert('CoturnWrongPasswords', 'warning', |||
      sum by (%(source)s) (
        max without (%(replicaLabel)s) (increase(coturn_exporter_statsdb_wrong_passwords_total[15m]))
      ) > 20
    |||, {
      summary: 'Source {{ $labels.source }} is sent wrong passwords',
      description: |||
        {{ $value | humanize }} in 15 minutes at {{ $labels.instance }}: a coturn has another
        password, or somebody guesses.
      |||,
    }),

    alert('CoturnRepliesDropped', 'warning', |||
      max without (%(replicaLabel)s) (increase(coturn_exporter_statsdb_dropped_replies_total[15m])) > 0
    |||, {
      hold: '15m',
      summary: 'A peer of source {{ $labels.source }} does not read its replies',
      description: |||
        {{ $value | humanize }} replies in 15 minutes were not sent by {{ $labels.instance }},
        because the other end of the connection no longer reads. Events still count.
      |||,
    }),

    alert('CoturnWebRequestsRefused', 'warning', |||
      max without (%(replicaLabel)s) (
        sum without (reason) (
          increase(coturn_exporter_web_refused_total{reason!="unauthorized"}[10m])
        )
      ) > 10
        or
      max without (%(replicaLabel)s) (coturn_exporter_web_connections) > 200
    |||, {
      hold: '5m',
      summary: 'The HTTP server of coturn-exporter has more to do than it takes',
      description: |||
        {{ $value | humanize }} requests or connections at {{ $labels.instance }}. Scrapes by
        Prometheus may be among those that are refused.
      |||,
    }),

    alert('CoturnWebLoginsRefused', 'warning', |||
      max without (%(replicaLabel)s) (
        sum without (reason) (
          increase(coturn_exporter_web_refused_total{reason="unauthorized"}[15m])
        )
      ) > 20
    |||, {
      summary: 'Logins to the HTTP server of coturn-exporter fail',
      description: |||
        {{ $value | humanize }} requests without a valid login in 15 minutes at
        {{ $labels.instance }}.
      |||,
    }),

    alert('CoturnWebConfigBad', 'critical', |||
      min without (%(replicaLabel)s) (coturn_exporter_web_config_good) == 0
        or
      max without (%(replicaLabel)s, result) (
        increase(coturn_exporter_web_config_reloads_total{result="failed"}[1h])
      ) > 3
    |||, {
      hold: '2m',
      summary: 'The file of --web.config.file cannot be used',
      description: |||
        {{ $labels.instance }} goes on with what it read before, also with a certificate that
        may soon expire. It does not start again with the file as it is.
      |||,
    }),

    // Each of a pair has its own gaps, and what one missed the other counted.
    alert('CoturnEventGap', 'warning', |||
      min without (%(replicaLabel)s) (increase(coturn_exporter_source_gap_seconds_total[1h]))
        > on () group_left () max(coturn:gap_seconds:limit)
    |||, {
      summary: 'Events of source {{ $labels.source }} were missed',
      description: |||
        For {{ $value | humanizeDuration }} of the last hour nothing could arrive at
        {{ $labels.instance }}. Redis keeps no events: what it published then is lost.
      |||,
    }),

    // A coturn that restarts closes all of its connections at once: ten restarts in an hour.
    alert('CoturnSourceUnstable', 'warning', |||
      max without (%(replicaLabel)s) (increase(coturn_exporter_source_disconnects_total[1h]))
        > 10 * max without (%(replicaLabel)s) (
          clamp_min(max_over_time(coturn_exporter_statsdb_connections[1h]), 1)
            or
          clamp(coturn_up, 1, 1)
        )
    |||, {
      summary: 'Connections of source {{ $labels.source }} break again and again',
      description: |||
        {{ $value | humanize }} broke in an hour at {{ $labels.instance }}. Messages that were
        on their way each time are lost.
      |||,
    }),

    alert('CoturnIdsCollide', 'warning', |||
      max without (%(replicaLabel)s) (increase(coturn_exporter_allocation_collisions_total[1h])) > 5
    |||, {
      summary: 'Servers behind source {{ $labels.source }} use the same ids for the same user',
      description: |||
        {{ $value | humanize }} times in an hour. Counters stay exact; sessions of these servers
        are cut, and lost messages are not made good.
      |||,
    }),

    // Only a Redis is read again; the embedded statsdb has no keys.
    alert('CoturnResyncStopped', 'warning', |||
      (
        increase(coturn_exporter_resyncs_total[30m]) == 0
          unless
        coturn_exporter_statsdb_connections
          unless
        coturn_exporter_source_wrong_database == 1
      )
        and
      coturn_up == 1
    |||, {
      hold: '10m',
      summary: 'The status keys of source {{ $labels.source }} are not read any more',
      description: |||
        {{ $labels.instance }} is subscribed, but has not come to the end of a scan for half an
        hour: allocations that vanished stay until their lifetime ends.
      |||,
    }),

    alert('CoturnExporterRestarting', 'warning', |||
      changes(process_start_time_seconds{job="%(job)s"}[1h]) > 3
    |||, {
      summary: 'coturn-exporter at {{ $labels.instance }} restarts again and again',
      description: |||
        {{ $value }} times in an hour. Without --state.file each restart cuts the live sessions
        in two.
      |||,
    }),
  ],

  local ofCoturn = [
    // A session whose end coturn did not announce has no totals: its last up to 4095 packets are in no
    // report, so that its record is incomplete. deploy/loki/rules has the alert on the records.
    alert('CoturnRecordsIncomplete', 'warning', |||
      (
        sum by (%(clusterLabel)s, realm) (
          max by (%(clusterLabel)s, realm, reason) (realm_reason:coturn_sessions_finished:rate15m{reason!="deleted"})
        )
          /
        sum by (%(clusterLabel)s, realm) (
          max by (%(clusterLabel)s, realm, reason) (realm_reason:coturn_sessions_finished:rate15m)
        )
          > 0.05
      )
        and on (%(clusterLabel)s, realm)
      900 * sum by (%(clusterLabel)s, realm) (
        max by (%(clusterLabel)s, realm, reason) (realm_reason:coturn_sessions_finished:rate15m{reason!="deleted"})
      )
        > on () group_left () max(coturn:incomplete_sessions:limit)
    |||, {
      hold: '10m',
      summary: 'Session ends of realm {{ $labels.realm }} are not announced',
      description: |||
        {{ $value | humanizePercentage }} of the sessions expired, vanished, were superseded or
        cut off: their records may lack the last packets.
      |||,
    }),

    alert('CoturnBandwidthNearLimit', 'warning', |||
      max by (%(clusterLabel)s, server, direction) (server_direction:coturn_client_bits:rate5m)
        > on (%(clusterLabel)s, server) group_left ()
      (0.8 * max by (%(clusterLabel)s, server) (server:coturn_client_bits_per_second:limit))
    |||, {
      hold: '10m',
      summary: 'Server {{ $labels.server }} is near the limit of what it may relay',
      description: |||
        It relays {{ $value | humanize }}bit/s ({{ $labels.direction }} on the client side),
        more than 80 % of coturn:client_bits_per_second:limit.
      |||,
    }),

    alert('CoturnRelayPortsNearLimit', 'warning', |||
      sum by (%(clusterLabel)s, server) (
        max by (%(clusterLabel)s, realm, server, transport) (realm_server_transport:coturn_allocations:sum)
      )
        > on (%(clusterLabel)s, server)
      (0.8 * max by (%(clusterLabel)s, server) (server:coturn_relay_ports:limit))
    |||, {
      hold: '5m',
      summary: 'Server {{ $labels.server }} runs out of relay ports',
      description: |||
        It holds {{ $value | humanize }} allocations, more than 80 % of coturn:relay_ports:limit.
        Beyond it coturn answers 508 and calls that need the relay fail.
      |||,
    }),

    // Above what is normal, and four times what it was: servers that answer plain STUN have much of
    // this all day.
    alert('CoturnUnallocatedTrafficSurge', 'warning', |||
      (
        max by (%(clusterLabel)s, realm, server) (realm_server:coturn_unallocated_received_packets:rate5m)
          > on () group_left () max(coturn:unallocated_packets_per_second:limit)
      )
        unless
      max by (%(clusterLabel)s, realm, server) (realm_server:coturn_unallocated_received_packets:rate5m)
        <= 4 * max by (%(clusterLabel)s, realm, server) (
          avg_over_time(realm_server:coturn_unallocated_received_packets:rate5m[6h] offset 15m)
        )
    |||, {
      hold: '5m',
      summary: 'Surge of packets without an allocation at {{ $labels.server }}',
      description: |||
        {{ $value | humanize }} packets per second come from clients that never got an
        allocation (realm {{ $labels.realm }}): a scan, or an application with wrong credentials.
      |||,
    }),

    // Less than half, and less than chance explains: of sessions that come and go independently the
    // square root of their number stays within 5 of that of their mean for years, and of such as come
    // and go in pairs, too (test/unit/deploy/chance.test.ts). Conferences that begin and end as one are
    // larger steps: of four, in a realm of 30, they fire twice a year; of ten, three times a day. For
    // them the limit has to be a hundred times their size. A realm that lost its last session may have no series any
    // more: then 0 is compared. Silent while an exporter is down, which has an alert of its own, and
    // while one that was restarted learns of the sessions there are.
    alert('CoturnSessionsDropped', 'warning', |||
      (
        (
          max by (%(clusterLabel)s, realm) (realm:coturn_sessions:sum)
            or
          0 * max by (%(clusterLabel)s, realm) (avg_over_time(realm:coturn_sessions:sum[30m] offset 10m))
        )
          < 0.5 * (
            max by (%(clusterLabel)s, realm) (avg_over_time(realm:coturn_sessions:sum[30m] offset 10m))
              >= on () group_left () max(coturn:sessions_before_drop:limit)
          )
      )
        and
      sqrt(
        max by (%(clusterLabel)s, realm) (realm:coturn_sessions:sum)
          or
        0 * max by (%(clusterLabel)s, realm) (avg_over_time(realm:coturn_sessions:sum[30m] offset 10m))
      )
        < sqrt(max by (%(clusterLabel)s, realm) (avg_over_time(realm:coturn_sessions:sum[30m] offset 10m))) - 5
        unless on (%(clusterLabel)s) (
          max without (%(replicaLabel)s) (up{job="%(job)s"}) == 0
            or
          absent(up{job="%(job)s"})
            or
          time() - process_start_time_seconds{job="%(job)s"} < 900
        )
    |||, {
      hold: '3m',
      summary: 'Sessions of realm {{ $labels.realm }} fell to less than half',
      description: '{{ $value | humanize }} are left of the average of the half hour before.',
    }),

    // delta, not rate: the gauges fall when one of a user's sessions ends, and rate would take what is
    // left for growth. The users beyond the cap (~other) are many, not one.
    alert('CoturnUserDominates', 'warning', |||
      (
        sum by (%(clusterLabel)s, realm, user) (
          max without (%(replicaLabel)s) (
            clamp_min(delta(coturn_user_session_received_bytes{user!="~other"}[10m]), 0)
              +
            clamp_min(delta(coturn_user_session_sent_bytes{user!="~other"}[10m]), 0)
          )
        ) > on () group_left () (600 / 8 * max(coturn:user_bits_per_second:limit))
      )
        / on (%(clusterLabel)s, realm) group_left ()
      sum by (%(clusterLabel)s, realm) (
        max without (%(replicaLabel)s) (
          increase(coturn_client_received_bytes_total[10m])
            +
          increase(coturn_client_sent_bytes_total[10m])
        )
      )
        > 0.5
    |||, {
      hold: '10m',
      summary: 'One user moves most of realm {{ $labels.realm }}',
      description: |||
        {{ $labels.user }} has {{ $value | humanizePercentage }} of what the realm relayed in
        10 minutes, and more than coturn:user_bits_per_second:limit.
      |||,
    }),
  ],

  prometheusAlerts+:: {
    groups+: [
      { name: 'coturn-watchdog', rules: ofTheAlerting },
      { name: 'coturn-exporter', rules: ofTheExporter },
      { name: 'coturn', rules: ofCoturn },
    ],
  },
}
