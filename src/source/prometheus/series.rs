//! Whole series of a stretch of time, by any expression: for judges that look at samples, not at counts.

use std::collections::BTreeMap;

use tokio::time::timeout;

use super::Prometheus;
use crate::source::http::Fault;

/// One series as the server gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub labels: BTreeMap<String, String>,
    /// In order of time; moments at which it has no value are left out.
    pub values: Vec<f64>,
}

impl Prometheus {
    /// Every series of `promql` between two moments (seconds since 1970), at each `step` seconds.
    ///
    /// # Errors
    /// Why there is no usable answer, as a sentence for people.
    pub async fn series(
        &self,
        promql: &str,
        from: i64,
        to: i64,
        step: i64,
    ) -> Result<Vec<Series>, String> {
        let asked = self.ask_between(promql, from, to, step);
        let instants = self.in_time(timeout(self.options.timeout, asked).await);
        let instants = instants
            .map_err(|Fault { reason, .. }| format!("Prometheus at `{}` {reason}", self.address))?;
        let mut series: BTreeMap<BTreeMap<String, String>, Vec<f64>> = BTreeMap::new();
        for row in instants.into_values().flatten() {
            series.entry(row.labels).or_default().push(row.value);
        }
        Ok(series
            .into_iter()
            .map(|(labels, values)| Series { labels, values })
            .collect())
    }
}
