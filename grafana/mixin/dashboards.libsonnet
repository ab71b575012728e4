// The dashboards are written in grafana/src and rendered by `npm run dashboards`.
{
  local config = $._config,
  local dashboard(text) =
    // The name of the label is in matchers, groupings and queries for the values of variables.
    local json = std.parseJson(std.foldl(
      function(out, form) std.strReplace(out, form % 'cluster', form % config.clusterLabel),
      ['%s=~\\"$cluster\\"', ', %s)", ', ', %s)"'],
      std.strReplace(text, 'without (replica)', 'without (%s)' % config.replicaLabel)
    ));
    json {
      title: config.dashboardNamePrefix + json.title,
      tags: config.dashboardTags,
      links: [link { tags: config.dashboardTags } for link in json.links],
    },

  grafanaDashboards+:: {
    'coturn-overview.json': dashboard(importstr '../dashboards/coturn-overview.json'),
    'coturn-sessions.json': dashboard(importstr '../dashboards/coturn-sessions.json'),
    'coturn-exporter.json': dashboard(importstr '../dashboards/coturn-exporter.json'),
  },
}
