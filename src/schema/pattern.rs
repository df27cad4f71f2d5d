//! What texts in documents look like. Each takes everything that `recant_core::spec` takes: an editor and the API server
//! refuse early what is surely wrong, and the reader of the documents says the rest.

/// `300ms`, `90s`, `1m30s`.
pub(super) const DURATION: &str = "^([0-9]+([.][0-9]+)?(d|h|ms|m|s))+$";
/// `5%`, `0.1%`.
pub(super) const PERCENT: &str = "^[0-9]+([.][0-9]+)?%$";
/// RFC 1123 label.
pub(super) const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
/// RFC 1123 subdomain.
pub(super) const SUBDOMAIN: &str =
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A rule set, or one rule of it.
pub(super) const RULE_NAME: &str = "^[a-z0-9][-.a-z0-9]*(/[a-z0-9][-a-z0-9]*)?$";
/// What can be scaled.
pub(super) const SCALED: &str = "^(Deployment|StatefulSet|Rollout)/[a-z0-9][-.a-z0-9]*$";
/// The name of an environment variable.
pub(super) const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
/// A key of a Kubernetes Secret.
pub(super) const SECRET_KEY: &str = "^[-._a-zA-Z0-9]+$";
