//! An account in words: first one sentence for a person in a hurry, then rule by rule.

use jiff::{SignedDuration, Timestamp};

use recant_core::guard::Hold;
use recant_core::judge::{Compared, Phase, State};
use recant_core::time::elapsed;
use recant_core::wording::{count, digits, listed, percent, span};

use super::account::{Account, RuleAccount, TrafficAccount, Verdict, bare, kept_at};
use super::odds::Weight;

/// Everything, one line each; without a line break at the end.
pub(super) fn page(account: &Account) -> String {
    let mut lines = vec![hurry(account), String::new()];
    lines.extend(head(account));
    // Shares of nothing tell nothing.
    let speaks = account.rules.iter().any(RuleAccount::decides_by_value)
        || account
            .together
            .is_some_and(|weight| weight.one_in.is_some());
    for rule in &account.rules {
        lines.push(String::new());
        lines.extend(of_rule(rule, speaks));
    }
    let rest = rest(account);
    if !rest.is_empty() {
        lines.push(String::new());
        lines.extend(rest);
    }
    lines.join("\n")
}

/// What the verdict is and by which rule, or what is missing.
pub(super) fn hurry(account: &Account) -> String {
    let what = format!("revision {} of {}", account.revision, account.target);
    match account.verdict {
        Verdict::Fail => {
            let at = account.failed.or(account.ended).unwrap_or(account.at);
            let after = after(account, at);
            let why = match account.foremost() {
                Some(rule) => match &rule.sentence {
                    Some(sentence) => format!(" by {sentence}"),
                    None => format!(" by `{}`", rule.rule),
                },
                None => String::new(),
            };
            let odds = account.together.map_or_else(String::new, |weight| {
                format!("; {} if the release were fine", weight.odds())
            });
            let done = account.plan.as_ref().map_or_else(String::new, |plan| {
                format!(". Rollback to {}: {}", plan.to, plan.state)
            });
            format!("Fail: {what} was found bad{after}{why}{odds}{done}.")
        }
        Verdict::Pass => format!("Pass: {what} is known good; every rule was surely kept."),
        Verdict::Inconclusive => format!(
            "Inconclusive: {what} is neither known good nor bad: {}.",
            reason(account)
        ),
        Verdict::Superseded => format!(
            "Superseded: {what} was not judged to the end: {}.",
            reason(account)
        ),
        Verdict::Passing => format!(
            "Passing: every rule is surely kept by {what}; it is known good at the end of its watch unless something \
             speaks against it."
        ),
        Verdict::Undecided => format!("Undecided: {what}: {}.", missing(account)),
    }
}

fn reason(account: &Account) -> &str {
    account.reason.as_deref().unwrap_or("no reason was given")
}

fn after(account: &Account, at: Timestamp) -> String {
    match account.first_traffic {
        Some(first) => format!(
            " at {at:.0}, {} after its first traffic,",
            span(elapsed(first, at))
        ),
        None => format!(" at {at:.0}"),
    }
}

fn missing(account: &Account) -> String {
    if account.first_traffic.is_none() {
        return "there was no traffic yet".to_owned();
    }
    let open = |rule: &&RuleAccount| {
        !rule.dry_run && !rule.in_favour.is_some_and(|weight| weight.decides())
    };
    let rules: Vec<String> = account
        .rules
        .iter()
        .filter(open)
        .map(|rule| match rule.changes.last() {
            Some(change) => format!("`{}` ({change})", rule.rule),
            None => format!("`{}`", rule.rule),
        })
        .collect();
    let against = account.together.filter(|weight| weight.one_in.is_some());
    let against = against.map_or_else(
        || "nothing speaks against it so far".to_owned(),
        |weight| {
            format!(
                "the evidence against it is {} if the release were fine, and Fail is at {}",
                weight.odds(),
                weight.needed()
            )
        },
    );
    if rules.is_empty() {
        against
    } else {
        format!("{against}; not surely kept yet: {}", listed(&rules))
    }
}

fn head(account: &Account) -> Vec<String> {
    let mut lines = vec![
        format!("watch      {} at {:.0}", account.watch, account.at),
        match (&account.baseline, account.phase) {
            (Some(baseline), Phase::Beside) => {
                format!("release    {} beside {baseline}", account.revision)
            }
            (Some(baseline), Phase::Alone) => format!(
                "release    {} after {baseline}, which serves no more",
                account.revision
            ),
            (None, _) => format!("release    {} without a baseline", account.revision),
        },
        format!(
            "began      {:.0}, {}",
            account.began,
            match account.first_traffic {
                Some(first) => format!("first traffic {first:.0}"),
                None => "no traffic yet".to_owned(),
            }
        ),
        match account.evidence_at {
            Some(at) => format!("evidence   as recorded at {at:.0}{}", age(at, account.at)),
            None => "evidence   none was recorded yet".to_owned(),
        },
    ];
    match account.together {
        Some(weight) => lines.push(format!(
            "together   {} {}; Fail at {}",
            weight.bar(),
            said(&weight, "the release were fine"),
            weight.needed()
        )),
        None if account.rules.is_empty() => {}
        None if account.rules.iter().any(RuleAccount::decides_by_value) => lines.push(
            "together   no odds: a value that is beyond its limit is a condition, not a test".to_owned(),
        ),
        None => lines.push(
            "together   nothing was judged yet when that was recorded; evidence is recorded at least once a minute"
                .to_owned(),
        ),
    }
    lines
}

fn age(at: Timestamp, now: Timestamp) -> String {
    let age = elapsed(at, now);
    if age < SignedDuration::from_secs(1) {
        String::new()
    } else {
        format!(", {} before", span(age))
    }
}

fn of_rule(rule: &RuleAccount, speaks: bool) -> Vec<String> {
    let state = match (rule.state, rule.since) {
        (Some(State::Failing), Some(since)) => format!("broken since {since:.0}"),
        (Some(state), _) => state_in_words(state).to_owned(),
        (None, _) => "nothing was judged yet".to_owned(),
    };
    let dry = if rule.dry_run { ", only tells" } else { "" };
    let mut lines = vec![format!("rule `{}`: {state}{dry}", rule.rule)];
    let mut line = |label: &str, text: &str| lines.push(format!("  {label:<9}{text}"));
    if let Some(sentence) = &rule.sentence {
        line("just then", &format!(" {}", bare(&rule.rule, sentence)));
    }
    for test in &rule.tests {
        for (label, text) in test.lines() {
            line(label, &format!(" {text}"));
        }
    }
    if let Some(value) = rule.value.and_then(|measured| measured.value) {
        line("value", &format!(" {}", digits(value)));
    }
    if let Some(value) = rule.baseline_value.and_then(|measured| measured.value) {
        line("baseline", &format!(" {}", digits(value)));
    }
    for text in rule.compared.iter().flat_map(|it| compared(rule, it)) {
        line("compared", &format!(" {text}"));
    }
    let by_test = rule.compared.is_some_and(|compared| compared.decides);
    let is_condition = rule.decides_by_value() || !by_test;
    if rule.tests.is_empty() && rule.value.is_some() && rule.against.is_some() && is_condition {
        line("against", &format!(" {}", condition(rule)));
    } else {
        if let Some(weight) = &rule.against {
            line("against", &format!(" {}", against(weight)));
        }
        if let Some(weight) = &rule.in_favour {
            line("for", &format!(" {}", in_favour(weight)));
        }
    }
    let data = if rule.value.is_some() {
        "samples"
    } else {
        "events"
    };
    line("data", &format!(" {} {data}", count(rule.events)));
    if let Some(share) = rule.share.filter(|_| speaks && !rule.dry_run) {
        line(
            "share",
            &format!(
                " {} of what is said against the release",
                percent((share * 1000.0).round() / 1000.0)
            ),
        );
    }
    for change in &rule.changes {
        line("change", &format!(" {change}"));
    }
    lines
}

/// The condition belongs to a number only.
fn said(weight: &Weight, condition: &str) -> String {
    match weight.one_in {
        Some(_) => format!("{} if {condition}", weight.odds()),
        None => weight.odds(),
    }
}

fn against(weight: &Weight) -> String {
    format!(
        "{} {}; decides alone at {}",
        weight.bar(),
        said(weight, "the release were fine"),
        weight.needed()
    )
}

fn in_favour(weight: &Weight) -> String {
    let kept = Weight::new(
        weight.log,
        if weight.log_needed > 0.0 {
            weight.log_needed
        } else {
            kept_at()
        },
    );
    format!(
        "{} {}; kept at {}",
        kept.bar(),
        said(&kept, "it were worse than allowed"),
        kept.needed()
    )
}

/// A value beside that of the baseline, over the time that both were measured in.
fn compared(rule: &RuleAccount, compared: &Compared) -> Vec<String> {
    let ran = if compared.over { " while that ran" } else { "" };
    let values = format!(
        "{} in the mean, beside {} of the baseline{ran}; allowed is {}",
        digits(compared.canary),
        digits(compared.baseline),
        digits(compared.allowed),
    );
    let stretches = match compared.stretches {
        0 => "no stretch of time is long enough yet to be judged".to_owned(),
        all => format!(
            "worse than that in {} of {} stretches",
            count(compared.worse as f64),
            count(all as f64)
        ),
    };
    let needed = rule.against.map(|against| against.log_needed);
    let says = match needed {
        Some(needed) if !compared.decides => {
            let weight = Weight::new(compared.against, needed);
            format!(
                "; {}; advisory, it decides nothing",
                said(&weight, "it were no worse than allowed")
            )
        }
        Some(_) | None => String::new(),
    };
    vec![values, format!("{stretches}{says}")]
}

/// A value is no test: it says all or nothing (judge.md 8).
fn condition(rule: &RuleAccount) -> &'static str {
    match (rule.against, rule.in_favour) {
        (Some(_), _) if rule.decides_by_value() => {
            "the value has been beyond its limit for as long as the rule asks for: that decides"
        }
        (_, Some(weight)) if weight.decides() => "nothing: the value is within its limit",
        _ => {
            "nothing yet: a value speaks only when it has been beyond, or within, its limit for long enough"
        }
    }
}

fn state_in_words(state: State) -> &'static str {
    match state {
        State::NoData => "no new sample",
        State::TooLittle => "too little data",
        State::Within => "within what is allowed",
        State::Unsure => "above what is allowed, which may be chance",
        State::Suspected => "above what is allowed, not surely yet",
        State::Failing => "broken",
        State::BaselineAlsoBad => "above its limit, and so is the baseline",
    }
}

fn rest(account: &Account) -> Vec<String> {
    let mut lines: Vec<String> = account.traffic.iter().flat_map(traffic).collect();
    lines.extend(account.holds.iter().map(held));
    if let Some(plan) = &account.plan {
        lines.push(format!(
            "plan       {:.0}: {}; {}",
            plan.began,
            plan.steps.join(", then "),
            plan.state
        ));
    }
    if let Some(verification) = &account.verification {
        lines.push(format!("verified   {verification}"));
    }
    for incident in &account.incidents {
        lines.push(format!(
            "incident   since {:.0}: {}",
            incident.since, incident.sentence
        ));
    }
    lines
}

/// Its share, its step, and what comes next.
fn traffic(traffic: &TrafficAccount) -> Vec<String> {
    let steps: Vec<String> = traffic
        .steps
        .iter()
        .map(|step| format!("{step} %"))
        .collect();
    let share = traffic.percent.map_or_else(
        || "no share was set for it yet".to_owned(),
        |percent| format!("{} has {percent} %", traffic.backend),
    );
    let mut lines = vec![format!(
        "traffic    {share}, step {} of {} ({}), on {}",
        traffic.step,
        steps.len(),
        steps.join(", "),
        traffic.route
    )];
    match (&traffic.ended, &traffic.waits_for, traffic.next) {
        (Some(ended), _, _) => lines.push(format!("traffic    {ended}")),
        (None, Some(waits), Some(next)) => {
            lines.push(format!("traffic    goes on to {next} %; waits for {waits}"));
        }
        (None, Some(waits), None) => lines.push(format!("traffic    waits for {waits}")),
        (None, None, _) => {}
    }
    lines
}

fn held(hold: &Hold) -> String {
    let until = hold
        .until
        .map_or_else(String::new, |until| format!(", until {until:.0}"));
    format!(
        "held       by guard \"{}\": {}{until}",
        hold.guard, hold.reason
    )
}
