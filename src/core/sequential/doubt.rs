//! Why an analysis ended Inconclusive, rule by rule (judge.md 9).

use std::fmt;

/// What kept a rule from saying anything sure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// Nothing was judged.
    NoData,
    /// So few events that nothing can be said; `about`: how many it would have needed, as far as can be told.
    TooLittle { events: f64, about: Option<f64> },
    /// The limit is surely exceeded, and the baseline is no better.
    BaselineAlsoBad,
    /// The interval of what was measured contains the bound.
    InBetween,
}

impl Doubt {
    /// Of a rule that has judged `events`, with so much evidence for the release where `level` passes. `between`: the
    /// interval contains the bound from both sides.
    pub(super) fn of(events: f64, log_good: f64, level: f64, between: bool) -> Option<Self> {
        if log_good >= level {
            return None;
        }
        if events <= 0.0 {
            return Some(Self::NoData);
        }
        if between {
            return Some(Self::InBetween);
        }
        // Evidence grows about as the events do, once it grows at all.
        let about = (log_good > 0.0).then(|| (events * level / log_good).ceil());
        Some(Self::TooLittle { events, about })
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData => f.write_str("no data"),
            Self::TooLittle {
                events,
                about: Some(about),
            } => write!(f, "too little data: {events:.0} of about {about:.0} events"),
            Self::TooLittle {
                events,
                about: None,
            } => write!(f, "too little data: {events:.0} events"),
            Self::BaselineAlsoBad => {
                f.write_str("above its limit, and so is the baseline: no fault of the release")
            }
            Self::InBetween => {
                f.write_str("in between: neither surely within its bound nor beyond")
            }
        }
    }
}
