//! Rules and watches that more than one group of tests needs.

use crate::namespace::Namespace;

/// The rule set `shop`: of the answers no more than `max` may be errors. `more` are further fields of the rule, one a
/// line, indented by two.
pub(crate) fn error_rate(max: &str, more: &str) -> String {
    format!(
        r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {{name: shop}}
rules:
- name: error-rate
  ratio: {{bad: 'http_requests_total{{status=~"5.."}}', total: http_requests_total}}
  max: {max}
{more}
---
"#
    )
}

/// A watch of the Deployment `name` whose errors begin what `actions` says, release or no release. It has recovered after
/// ten good seconds.
pub(crate) fn always(ns: &Namespace, name: &str, actions: &str) -> String {
    let namespace = ns.name();
    format!(
        "
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {namespace}}}
target: {{kind: Deployment, name: {name}}}
source: scrape
rules: [shop]
onFail: [{{rollback: {{}}}}]
always:
- rule: shop/error-rate
  window: 30s
  recovery: 10s
  onFail: [{actions}, {{notify: [team]}}]
"
    )
}
