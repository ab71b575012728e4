// The monitoring mixin of coturn-exporter: dashboards, recording rules and alerts, with what depends
// on an installation in `_config`. `deploy/prometheus/*.yml` are these rules with the values below.
//
//   jb install github.com/OWNER/coturn-exporter/grafana@main
//   local coturn = (import 'grafana/mixin.libsonnet') + { _config+:: { job: 'turn' } };
//   std.manifestYamlDoc(coturn.prometheusAlerts)
(import 'mixin/config.libsonnet') +
(import 'mixin/rules.libsonnet') +
(import 'mixin/alerts.libsonnet') +
(import 'mixin/dashboards.libsonnet')
