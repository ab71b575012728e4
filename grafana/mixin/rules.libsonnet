// Recording rules, named level:metric:operations.
//
// The two sides of coturn carry the same media once each: they are separate series here too, and are
// never summed. Windows are 5 minutes, because coturn reports an allocation only every 4096 packets.
// `instance` and `job` are summed away: shards of one exporter add up to the whole. What is read from
// other recorded series goes through `max by`, so that two Prometheus that both evaluate these rules
// into one store count once.
{
  local config = $._config,
  local record(name, expr, labels={}) =
    { record: name } + (if labels == {} then {} else { labels: labels }) + { expr: expr % config },

  prometheusRules+:: {
    groups+: [
      {
        name: 'coturn-limits',
        rules: [
          record(name, 'vector(%s)' % std.toString(config.limits[name].value))
          for name in std.objectFields(config.limits)
        ] + [
          record(name, 'vector(%s)' % std.toString(config.serverLimits[name][server]), { server: server })
          for name in std.objectFields(config.serverLimits)
          for server in std.objectFields(config.serverLimits[name])
        ],
      },
      {
        // Every server with its limit: its own, else the one for all.
        name: 'coturn-server-limits',
        rules: [
          record('server:%s:limit' % limit.metric, |||
            (
              group by (%%(clusterLabel)s, server) (%(of)s)
                * on (server) group_left ()
              max by (server) (%(limit)s{server!=""})
            )
              or
            (
              group by (%%(clusterLabel)s, server) (%(of)s)
                * on () group_left ()
              max(%(limit)s{server=""})
            )
          ||| % limit)
          for limit in [
            {
              metric: 'coturn_client_bits_per_second',
              limit: 'coturn:client_bits_per_second:limit',
              of: 'coturn_client_received_bytes_total',
            },
            {
              metric: 'coturn_relay_ports',
              limit: 'coturn:relay_ports:limit',
              of: 'coturn_allocations',
            },
          ]
        ],
      },
      {
        name: 'coturn-traffic',
        rules: [
          record('realm_server:coturn_%s:rate5m' % metric, |||
            sum by (%%(clusterLabel)s, realm, server) (
              max without (%%(replicaLabel)s) (rate(coturn_%s_total[5m]))
            )
          ||| % metric)
          for metric in [
            'client_received_bytes',
            'client_sent_bytes',
            'peer_received_bytes',
            'peer_sent_bytes',
            'unallocated_received_packets',
          ]
        ] + [
          // Client side in bits per second, per direction: what a limit of the relay is compared with.
          record('server_direction:coturn_client_bits:rate5m', |||
            sum by (%%(clusterLabel)s, server) (
              max by (%%(clusterLabel)s, realm, server) (realm_server:coturn_client_%s_bytes:rate5m)
            ) * 8
          ||| % direction, { direction: direction })
          for direction in ['received', 'sent']
        ],
      },
      {
        name: 'coturn-sessions',
        rules: [
          // Summed over `relayed` before the greater of a pair is taken: the two may have learned of
          // a session's first traffic at different times.
          record('realm:coturn_sessions:sum', |||
            sum by (%(clusterLabel)s, realm) (
              max without (%(replicaLabel)s) (sum without (relayed) (coturn_sessions))
            )
          |||),
          record('realm_server_transport:coturn_allocations:sum', |||
            sum by (%(clusterLabel)s, realm, server, transport) (
              max without (%(replicaLabel)s) (coturn_allocations)
            )
          |||),
          record('realm_reason:coturn_sessions_finished:rate15m', |||
            sum by (%(clusterLabel)s, realm, reason) (
              max without (%(replicaLabel)s) (rate(coturn_sessions_finished_total[15m]))
            )
          |||),
          // Share of the finished sessions that needed the relay, of those of which it is known;
          // absent while none finishes.
          record('realm:coturn_sessions_relayed:ratio_rate1h', |||
            sum by (%(clusterLabel)s, realm) (
              max without (%(replicaLabel)s) (rate(coturn_sessions_finished_total{relayed="true"}[1h]))
            )
              /
            (
              sum by (%(clusterLabel)s, realm) (
                max without (%(replicaLabel)s) (rate(coturn_sessions_finished_total{relayed=~"true|false"}[1h]))
              ) > 0
            )
          |||),
        ] + [
          record('realm_le:coturn_session_%s_bucket:rate1h' % metric, |||
            sum by (%%(clusterLabel)s, realm, le) (
              max without (%%(replicaLabel)s) (rate(coturn_session_%s_bucket[1h]))
            )
          ||| % metric)
          for metric in ['duration_seconds', 'relayed_bytes']
        ],
      },
    ],
  },
}
