//! The checker finds each fault that is planted into a run in which all is well, and nothing in that run.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod planted;
mod simulated;

use esoz_faults::checker::{Kind, check, check_counts};

use simulated::Simulated;

#[test]
fn nothing_is_found_where_all_is_well() {
    for seed in 0..50 {
        let Simulated { loaded, history, state } = Simulated::run(seed);
        assert_eq!(check(&loaded, &history, &state), [], "seed {seed}");
        assert!(history.len() > 300, "{}", history.len());
        assert!(state.topic.len() > 20 && state.audit.len() > 60, "seed {seed}");
    }
}

#[test]
fn numbers_that_do_not_fit_are_found_as_what_they_are() {
    let kinds = |done, rows, requests| -> Vec<Kind> {
        check_counts(done, rows, requests).iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(kinds(5, 5, 5), []);
    assert_eq!(kinds(5, 4, 4), [Kind::Lost]);
    assert_eq!(kinds(5, 6, 5), [Kind::Twice]);
    assert_eq!(kinds(5, 6, 6), [Kind::Uninvited]);
    assert_eq!(kinds(5, 5, 4), [Kind::Lost, Kind::Twice]);
}

#[test]
fn each_planted_fault_is_found_as_what_it_is() {
    for (what, kind, plant) in planted::faults() {
        for seed in 0..10 {
            let mut run = Simulated::run(seed);
            plant(&mut run);
            let findings = check(&run.loaded, &run.history, &run.state);
            let kinds: Vec<Kind> = findings.iter().map(|finding| finding.kind).collect();
            assert!(kinds.contains(kind), "{what}, seed {seed}: {findings:?}");
        }
    }
}

#[test]
fn a_fault_of_every_kind_is_planted() {
    use Kind::{
        AfterRevocation, Contradiction, Dishonest, EventChanged, EventLost, EventWithoutChange,
        EventsOutOfOrder, ImpossibleRefusal, Lost, NotLogged, OutOfOrder, PairHeldTwice, RefusedAndDone,
        StoppedTwice, TokenRefused, Twice, Undelivered, Unexpected, Uninvited, Unresolved, Vanished,
    };
    let all = [
        Lost,
        Vanished,
        Twice,
        StoppedTwice,
        Uninvited,
        EventLost,
        EventWithoutChange,
        NotLogged,
        EventChanged,
        EventsOutOfOrder,
        Undelivered,
        Contradiction,
        Dishonest,
        RefusedAndDone,
        OutOfOrder,
        ImpossibleRefusal,
        PairHeldTwice,
        AfterRevocation,
        TokenRefused,
        Unexpected,
        Unresolved,
    ];
    for kind in all {
        assert!(planted::faults().any(|(_, planted, _)| *planted == kind), "{kind:?}");
    }
}
