//! What is said to somebody outside who is called: whom it is about, and what the rules found.

use super::Wish;
use crate::change::ObjectRef;
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::ids::RuleName;
use crate::operation::Cause;
use crate::rule::Task;
use crate::webhook::{Caller, Says};

/// `None`: nobody outside is called.
pub(super) fn caller(turn: &Turn<'_>, live: &Live, wish: &Wish) -> Option<Caller> {
    let calls = |task: &Task| matches!(task, Task::Webhook { .. });
    wish.runbook.steps.iter().any(calls).then(|| Caller {
        about: ObjectRef::from(&wish.target),
        says: says(turn, live, wish),
    })
}

fn says(turn: &Turn<'_>, live: &Live, wish: &Wish) -> Says {
    let (verdict, correlation, rules, evidence) = match &wish.cause {
        Cause::Incident { rule, incident } => {
            let evidence = sentence(turn, wish, rule);
            let rules = vec![rule.clone()];
            ("broken", incident.to_string(), rules, evidence)
        }
        Cause::Release { analysis } => {
            let judged = turn.known(&wish.target).and_then(|known| {
                let judged = known.judged.as_ref();
                judged.filter(|judged| judged.analysis == *analysis)
            });
            let (rules, evidence) = judged.map_or_else(Default::default, |judged| {
                (judged.rules.clone(), judged.sentences.clone())
            });
            ("fail", analysis.to_string(), rules, evidence)
        }
        Cause::Person { name } => {
            let evidence = vec![format!("{name} asked for it")];
            ("ordered", wish.id.to_string(), Vec::new(), evidence)
        }
    };
    Says {
        decided: turn.now,
        title: wish.runbook.name.clone(),
        watch: live.watch.name.clone(),
        target: wish.target.clone(),
        verdict: verdict.to_owned(),
        correlation,
        rules,
        evidence,
    }
}

/// What a broken rule says.
fn sentence(turn: &Turn<'_>, wish: &Wish, rule: &RuleName) -> Vec<String> {
    let known = turn.ledger.always.get(&wish.target);
    let state = known.and_then(|known| known.incidents.get(rule));
    state
        .map(|state| state.sentence.clone())
        .into_iter()
        .collect()
}
