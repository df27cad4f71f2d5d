//! The families of series that there are: names, and what they say. All are gauges.

/// One family. Where the past is not kept of all series, it is kept of the first families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Verdict,
    Score,
    Blind,
    Gate,
    Began,
    Ends,
    RuleState,
    Against,
    AgainstNeeded,
    InFavour,
    InFavourNeeded,
    Share,
    JudgedEvents,
    Value,
    Events,
    BadEvents,
    WithoutData,
    Incident,
    Held,
    SourceLost,
}

impl Family {
    pub(super) const ALL: [Self; 20] = [
        Self::Verdict,
        Self::Score,
        Self::Blind,
        Self::Gate,
        Self::Began,
        Self::Ends,
        Self::RuleState,
        Self::Against,
        Self::AgainstNeeded,
        Self::InFavour,
        Self::InFavourNeeded,
        Self::Share,
        Self::JudgedEvents,
        Self::Value,
        Self::Events,
        Self::BadEvents,
        Self::WithoutData,
        Self::Incident,
        Self::Held,
        Self::SourceLost,
    ];

    /// The value of `__name__`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Verdict => "recant_verdict",
            Self::Score => "recant_score",
            Self::Blind => "recant_blind",
            Self::Gate => "recant_gate",
            Self::Began => "recant_analysis_begin_timestamp_seconds",
            Self::Ends => "recant_analysis_end_timestamp_seconds",
            Self::RuleState => "recant_rule_state",
            Self::Against => "recant_rule_evidence_against",
            Self::AgainstNeeded => "recant_rule_evidence_against_needed",
            Self::InFavour => "recant_rule_evidence_in_favour",
            Self::InFavourNeeded => "recant_rule_evidence_in_favour_needed",
            Self::Share => "recant_rule_evidence_share",
            Self::JudgedEvents => "recant_rule_judged_events",
            Self::Value => "recant_rule_value",
            Self::Events => "recant_rule_events",
            Self::BadEvents => "recant_rule_bad_events",
            Self::WithoutData => "recant_rule_without_data",
            Self::Incident => "recant_incident",
            Self::Held => "recant_held",
            Self::SourceLost => "recant_source_lost",
        }
    }

    /// One sentence for people.
    pub(super) const fn help(self) -> &'static str {
        match self {
            Self::Verdict => {
                "Verdict on a revision of a target: 1 it may go on, -1 it is bad, 0 nothing is decided (or it is held, or there will be no verdict: see recant_gate). Ends while Recant cannot look."
            }
            Self::Score => {
                "Score of a revision, 0 to 100: 50 when nothing is known, 100 when every rule is surely kept, 0 when it is bad"
            }
            Self::Blind => "1 while Recant cannot look at the target, else 0",
            Self::Gate => {
                "1 for the state that a revision is in: running, held, open, failed or inconclusive"
            }
            Self::Began => "When the analysis of the revision began",
            Self::Ends => "When the analysis of the revision ends at the latest",
            Self::RuleState => {
                "1 for the state that a rule is in: no data, too little, within, unsure, suspected, failing or baseline also bad"
            }
            Self::Against => {
                "Evidence of a rule against the release: the logarithm of how unlikely the data would be if the rule were kept"
            }
            Self::AgainstNeeded => {
                "Evidence against the release at which the rule would decide alone"
            }
            Self::InFavour => "Evidence of a rule for the release, as a logarithm",
            Self::InFavourNeeded => "Evidence for the release at which the rule is called kept",
            Self::Share => {
                "Part of the evidence against the release that comes from this rule, 0 to 1"
            }
            Self::JudgedEvents => {
                "Events, or samples, of the canary that a rule's evidence comes from"
            }
            Self::Value => {
                "What a rule measures now, by arm: a share, a quantile in the unit of its buckets, or a value"
            }
            Self::Events => "Events that a rule counts now, by arm",
            Self::BadEvents => "Events that count against a rule now, by arm",
            Self::WithoutData => "1 for each rule that gets no data",
            Self::Incident => "1 for each rule between releases that is broken",
            Self::Held => "1 for each action that a guard holds",
            Self::SourceLost => "1 for each source that cannot be used",
        }
    }

    /// Whether it has a series for whatever is watched: then an empty answer would only mislead.
    pub(super) const fn answers(self) -> bool {
        match self {
            Self::Verdict | Self::Score | Self::Blind => true,
            // Its label says the state, so most of what can be asked is not so.
            Self::Gate
            | Self::Began
            | Self::Ends
            | Self::RuleState
            | Self::Against
            | Self::AgainstNeeded
            | Self::InFavour
            | Self::InFavourNeeded
            | Self::Share
            | Self::JudgedEvents
            | Self::Value
            | Self::Events
            | Self::BadEvents
            | Self::WithoutData
            | Self::Incident
            | Self::Held
            | Self::SourceLost => false,
        }
    }

    /// The family of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}
