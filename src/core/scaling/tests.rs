//! Every way in which a scaling can be decided.

use super::*;
use crate::rule::ScaleKind;

fn scale(to: ScaleTo, ceiling: Option<u32>) -> Scale {
    Scale {
        target: ScaleTarget {
            namespace: "shop".to_owned(),
            kind: ScaleKind::StatefulSet,
            name: "worker".to_owned(),
        },
        to,
        ceiling,
        undo_after: None,
    }
}

fn state(replicas: u32) -> ScaleState {
    ScaleState {
        uid: "w1".to_owned(),
        replicas,
        ready: replicas,
        paused: false,
        kill_switch: None,
        last_scaling: None,
        labels: std::collections::BTreeMap::new(),
        autoscalers: Vec::new(),
        budgets: Vec::new(),
    }
}

fn scaled_by(min: u32, max: u32, mut state: ScaleState) -> ScaleState {
    state.autoscalers.push(Autoscaler {
        name: "auto".to_owned(),
        uid: "h1".to_owned(),
        min,
        max,
        owner: None,
        last_scaling: None,
        keda: None,
    });
    state
}

fn guarded_by(needs: u32, mut state: ScaleState) -> ScaleState {
    state.budgets.push(Budget {
        name: "budget".to_owned(),
        needs,
    });
    state
}

/// From, to, and the notes; or why not.
fn decided(decided: Decided) -> Result<(u32, u32, String), String> {
    match decided {
        Decided::Change { change, notes } => Ok((change.from, change.to, notes.join("; "))),
        Decided::Nothing { why } => Err(why),
        Decided::Held { obstacle, why } => Err(format!("{obstacle:?}: {why}")),
    }
}

#[track_caller]
fn goes(scale: &Scale, state: &ScaleState, from: u32, to: u32, says: &str) {
    let (was, becomes, notes) = decided(decide(scale, Some(state))).expect("a change");
    assert_eq!((was, becomes), (from, to), "{notes}");
    assert!(
        notes.contains(says) && notes.is_empty() == says.is_empty(),
        "{notes}"
    );
}

#[track_caller]
fn stays(scale: &Scale, state: Option<&ScaleState>, says: &str) {
    let why = decided(decide(scale, state)).expect_err("no change");
    assert!(why.contains(says), "{why}");
}

#[test]
fn replicas_are_set_and_never_lowered() {
    let five = scale(ScaleTo::Replicas(5), None);
    goes(&five, &state(2), 2, 5, "");
    goes(&five, &state(0), 0, 5, "");
    stays(&five, Some(&state(5)), "has 5 replicas already");
    stays(&five, Some(&state(9)), "has 9 replicas already");
    stays(
        &five,
        None,
        "Object: StatefulSet shop/worker does not exist",
    );
}

#[test]
fn a_factor_is_rounded_up() {
    for (factor, from, to) in [
        (150, 2, 3),
        (150, 3, 5),
        (110, 1, 2),
        (200, 4, 8),
        (101, 100, 101),
    ] {
        goes(
            &scale(ScaleTo::Factor(factor), None),
            &state(from),
            from,
            to,
            "",
        );
    }
    stays(
        &scale(ScaleTo::Factor(150), None),
        Some(&state(0)),
        "0 replicas already",
    );
    let most = scale(ScaleTo::Factor(u32::MAX), None);
    goes(&most, &state(u32::MAX - 1), u32::MAX - 1, u32::MAX, "");
}

#[test]
fn the_ceiling_holds() {
    let capped = scale(ScaleTo::Factor(300), Some(5));
    goes(&capped, &state(2), 2, 5, "the rule's ceiling is 5");
    stays(&capped, Some(&state(5)), "the rule's ceiling is 5");
    // Also above what a budget needs.
    goes(&capped, &guarded_by(7, state(2)), 2, 5, "ceiling");
}

#[test]
fn a_disruption_budget_is_not_left_unfulfilled() {
    let three = scale(ScaleTo::Replicas(3), None);
    goes(
        &three,
        &guarded_by(4, state(2)),
        2,
        4,
        "PodDisruptionBudget `budget` needs 4",
    );
    goes(&three, &guarded_by(2, state(2)), 2, 3, "");
}

#[test]
fn an_autoscaler_is_asked_and_its_maximum_holds() {
    let five = scale(ScaleTo::Replicas(5), None);
    goes(&five, &scaled_by(2, 10, state(3)), 2, 5, "");
    goes(&five, &scaled_by(1, 4, state(3)), 1, 4, "no more than 4");
    stays(&five, Some(&scaled_by(2, 4, state(4))), "no more than 4");
    stays(
        &five,
        Some(&scaled_by(5, 9, state(3))),
        "at least 5 already",
    );
    stays(
        &five,
        Some(&scaled_by(2, 9, state(6))),
        "has 6 replicas already",
    );
    let two = scaled_by(1, 9, scaled_by(1, 9, state(2)));
    stays(
        &five,
        Some(&two),
        "Autoscaler: StatefulSet shop/worker has more than one",
    );
    let mut owned = scaled_by(1, 9, state(2));
    owned.autoscalers[0].owner = Some("ScaledObject `worker`".to_owned());
    stays(
        &five,
        Some(&owned),
        "Autoscaler: HorizontalPodAutoscaler `auto` belongs to ScaledObject `worker`",
    );
}

#[test]
fn nothing_is_decided_about_what_is_stopped_or_paused() {
    let five = scale(ScaleTo::Replicas(5), None);
    let mut stopped = state(2);
    stopped.kill_switch = Some("namespace shop".to_owned());
    stays(&five, Some(&stopped), "KillSwitch: the kill switch is on");
    let mut paused = state(2);
    paused.paused = true;
    stays(
        &five,
        Some(&paused),
        "Object: StatefulSet shop/worker was paused",
    );
}

fn done(state: &ScaleState) -> ScaleChange {
    match decide(&scale(ScaleTo::Replicas(5), None), Some(state)) {
        Decided::Change { change, .. } => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_undo_goes_back_only_from_what_was_set() {
    let change = done(&state(2));
    let back = |state: &ScaleState| decided(undo(&change, Some(state)));
    assert_eq!(back(&state(5)), Ok((5, 2, String::new())));
    for (now, says) in [
        (state(4), "set to 4, no longer to 5"),
        (state(8), "set to 8, no longer to 5"),
        (guarded_by(5, state(5)), "needs 5"),
        (guarded_by(9, state(5)), "needs 9"),
        (
            scaled_by(1, 9, state(5)),
            "`auto` scales StatefulSet shop/worker now",
        ),
    ] {
        let why = back(&now).expect_err("it is left");
        assert!(why.contains(says), "{why}");
    }
    let (_, to, notes) = back(&guarded_by(3, state(5))).expect("a part of it");
    assert_eq!(to, 3);
    assert!(notes.contains("needs 3"), "{notes}");
    let mut again = state(5);
    again.uid = "w2".to_owned();
    assert!(
        back(&again)
            .expect_err("another one")
            .contains("created again")
    );
    assert!(decided(undo(&change, None)).is_err());
}

#[test]
fn an_autoscaler_s_minimum_goes_back_alike() {
    let change = done(&scaled_by(2, 9, state(3)));
    let now = |min| scaled_by(min, 9, state(7));
    assert_eq!(
        decided(undo(&change, Some(&now(5)))),
        Ok((5, 2, String::new()))
    );
    assert!(decided(undo(&change, Some(&now(6)))).is_err());
    assert!(
        decided(undo(&change, Some(&state(5)))).is_err(),
        "it is gone"
    );
}

fn of_keda(paused_at: Option<u32>, replicas: u32) -> ScaleState {
    let mut state = scaled_by(1, 9, state(replicas));
    let autoscaler = &mut state.autoscalers[0];
    autoscaler.owner = Some("ScaledObject `worker`".to_owned());
    autoscaler.keda = Some(ScaledObject {
        name: "worker".to_owned(),
        uid: "k1".to_owned(),
        min: 1,
        max: 9,
        last_scaling: None,
        paused: paused_at.is_some(),
        paused_at,
    });
    state
}

#[test]
fn to_nothing_keda_is_paused_and_goes_on_only_from_what_was_set() {
    let zero = scale(ScaleTo::Zero, None);
    let Decided::Change { change, .. } = decide(&zero, Some(&of_keda(None, 3))) else {
        panic!("it can be paused");
    };
    assert_eq!((change.from, change.to), (3, 0));
    assert!(
        change
            .in_words()
            .contains("by `autoscaling.keda.sh/paused-replicas` of its ScaledObject `worker`, from 3 to 0 replicas"),
        "{}",
        change.in_words()
    );
    stays(
        &zero,
        Some(&of_keda(Some(2), 2)),
        "is paused by an annotation",
    );
    // Whatever KEDA has done meanwhile.
    let Decided::Change { change: back, .. } = undo(&change, Some(&of_keda(Some(0), 0))) else {
        panic!("it is as it was set");
    };
    assert!(back.in_words().contains("KEDA scales it again"));
    for (now, says) in [
        (of_keda(Some(2), 2), "no longer paused at 0"),
        (of_keda(None, 3), "no longer paused at 0"),
        (state(0), "does not exist any more"),
    ] {
        let why = decided(undo(&change, Some(&now))).expect_err("it is left");
        assert!(why.contains(says), "{why}");
    }
}
