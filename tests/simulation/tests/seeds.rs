//! Some hundred seeds find nothing; each planted mistake is found by few; and a seed is always the same.

use esoz_simulation::{Defect, Stats, simulate};

/// How many seeds every run of the tests plays. `cargo xtask simulate` plays more.
const SEEDS: u64 = 400;

/// Within how many seeds a planted mistake must be found.
const FOUND_WITHIN: u64 = 200;

#[test]
fn nothing_is_lost_nothing_is_doubled_and_every_answer_is_honest() {
    let mut stats = Stats::default();
    for seed in 0..SEEDS {
        let outcome = simulate(seed, None);
        if let Some(violation) = outcome.violation {
            let last = outcome.trace.iter().rev().take(100).rev().map(String::as_str).collect::<Vec<_>>();
            panic!(
                "seed {seed}: {violation}\nreplay it: cargo xtask simulate --from {seed} --seeds 1 --trace\n{}",
                last.join("\n")
            );
        }
        stats += outcome.stats;
    }
    // It would tell nothing if nothing had happened.
    let Stats {
        steps,
        refused,
        lost,
        late,
        twice,
        killed,
        requests,
        carried_out,
        unanswered,
        messages,
        expired,
        recorded,
        completed,
        in_error,
        swept,
    } = stats;
    for (what, often, least) in [
        ("steps", steps, 100 * SEEDS),
        ("refused calls", refused, SEEDS),
        ("lost answers", lost, SEEDS),
        ("late calls", late, SEEDS),
        ("calls that arrived twice", twice, SEEDS),
        ("killed servers", killed, SEEDS / 4),
        ("requests", requests, 5 * SEEDS),
        ("requests that were carried out", carried_out, SEEDS),
        ("requests without an answer", unanswered, SEEDS / 2),
        ("messages", messages, SEEDS),
        ("dispenses that expired", expired, SEEDS / 8),
        ("dispenses that were recorded", recorded, SEEDS / 4),
        ("dispenses that were completed", completed, SEEDS / 4),
        ("dispenses that were marked in error", in_error, SEEDS / 4),
        ("containers of failed changes", swept, SEEDS / 16),
    ] {
        assert!(often >= least, "{what}: {often} in {SEEDS} seeds, of at least {least}");
    }
}

#[test]
fn every_planted_mistake_is_found() {
    for defect in Defect::ALL {
        let found = (0..FOUND_WITHIN).find(|seed| simulate(*seed, Some(defect)).violation.is_some());
        assert!(found.is_some(), "{defect:?} is not found within {FOUND_WITHIN} seeds");
    }
}

#[test]
fn a_seed_is_always_the_same_also_when_it_finds_something() {
    for seed in 0..20 {
        for defect in [None, Some(Defect::LooksThenWrites), Some(Defect::RelayRemovesBeforePublishing)] {
            let (one, other) = (simulate(seed, defect), simulate(seed, defect));
            assert!(one.trace.len() > 20, "{:?}", one.trace);
            assert_eq!(one, other, "seed {seed}, {defect:?}");
        }
    }
    assert_ne!(simulate(1, None).trace, simulate(2, None).trace);
}
