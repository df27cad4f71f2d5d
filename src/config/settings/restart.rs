//! Settings that hold only from the next start: what would have to be given up and taken up again while the agent works.

use super::Settings;

impl Settings {
    /// Keeps what cannot change while the agent runs as it was at the `start`; the keys of what was meant to change.
    pub fn keep_what_needs_a_restart(&mut self, start: &Self) -> Vec<&'static str> {
        let Self {
            rules: _,
            resources,
            events,
            templates: _,
            source: _,
            interval: _,
            prometheus: _,
            journal,
            retention,
            listen,
            api,
            log,
            guards: _,
            webhooks,
            on_request: _,
            lease,
            shards,
            otel,
        } = self;
        let mut changed = Vec::new();
        keep(resources, &start.resources, "resources", &mut changed);
        keep(events, &start.events, "events", &mut changed);
        keep(journal, &start.journal, "journal", &mut changed);
        keep(retention, &start.retention, "retention", &mut changed);
        keep(listen, &start.listen, "listen", &mut changed);
        keep(api, &start.api, "api", &mut changed);
        keep(log, &start.log, "log", &mut changed);
        keep(webhooks, &start.webhooks, "webhooks", &mut changed);
        keep(lease, &start.lease, "lease", &mut changed);
        keep(shards, &start.shards, "replicas.shards", &mut changed);
        keep(otel, &start.otel, "otel", &mut changed);
        changed
    }
}

fn keep<T: Clone + PartialEq>(
    new: &mut T,
    start: &T,
    key: &'static str,
    changed: &mut Vec<&'static str>,
) {
    if new != start {
        new.clone_from(start);
        changed.push(key);
    }
}
