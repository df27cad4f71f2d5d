//! Ids of traces and spans: those of an incident follow from its correlation id, all others are random.

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use sha2::{Digest as _, Sha256};

/// Gives random ids, unless the next span was given its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids {
    random: RandomIdGenerator,
    next: Arc<Mutex<Option<(TraceId, SpanId)>>>,
}

/// The trace of an incident, and its first span: the same in every process.
pub(super) fn of_incident(correlation: &str) -> (TraceId, SpanId) {
    let hash: [u8; 32] = Sha256::digest(correlation).into();
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    trace.copy_from_slice(&hash[..16]);
    span.copy_from_slice(&hash[16..24]);
    (TraceId::from_bytes(trace), SpanId::from_bytes(span))
}

impl Ids {
    /// The next span, which has no parent, gets these; whatever `begin` begins is that span.
    pub(super) fn with<T>(&self, ids: (TraceId, SpanId), begin: impl FnOnce() -> T) -> T {
        *self.lock() = Some(ids);
        let begun = begin();
        *self.lock() = None;
        begun
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(TraceId, SpanId)>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        let given = *self.lock();
        given.map_or_else(|| self.random.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        let given = *self.lock();
        given.map_or_else(|| self.random.new_span_id(), |(_, span)| span)
    }
}
