//! The memory on a clock that moves only when told to, and lookups that take as long as a test says.

use std::sync::Mutex;

use esoz_kernel::StoreErrorKind;
use pollster::block_on;

use super::*;

const TTL: Duration = Duration::from_secs(5);

/// A clock that a test moves.
#[derive(Clone)]
pub(crate) struct Hand(Arc<Mutex<Instant>>);

impl Hand {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(crate) fn clock(&self) -> Now {
        let hand = self.clone();
        Box::new(move || *hand.0.lock().unwrap())
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

/// The cache alone: there is no port behind it.
type Memory = Cached<(), u32, &'static str>;

fn memory(ttl: Duration, max_entries: u64) -> (Memory, Hand) {
    let hand = Hand::new();
    (Memory::with_clock(Arc::new(()), CacheLimits { ttl, max_entries }, hand.clock()), hand)
}

/// Looks up key 1 in a store that answers so.
fn look(memory: &Memory, answer: Option<&'static str>) -> Option<&'static str> {
    block_on(memory.get_or_find(1, async { Ok(answer) })).unwrap()
}

fn stats(hits: u64, misses: u64) -> CacheStats {
    CacheStats { hits, misses }
}

#[test]
fn given_a_fact_then_it_is_remembered_for_less_than_the_ttl() {
    let (memory, hand) = memory(TTL, 10);
    assert_eq!(look(&memory, Some("old")), Some("old"));
    hand.advance(Duration::from_nanos(4_999_999_999));
    assert_eq!(look(&memory, Some("new")), Some("old"));
    assert_eq!(memory.stats(), stats(1, 1));
    hand.advance(Duration::from_nanos(1));
    assert_eq!(look(&memory, Some("new")), Some("new"));
    assert_eq!(memory.stats(), stats(1, 2));
}

#[test]
fn given_a_change_during_a_slow_lookup_then_it_is_seen_within_the_ttl_of_the_change() {
    let (memory, hand) = memory(TTL, 10);
    let slow = async {
        // The store read "old"; one second later the fact changed; its answer arrived after four.
        hand.advance(Duration::from_secs(4));
        Ok(Some("old"))
    };
    assert_eq!(block_on(memory.get_or_find(1, slow)).unwrap(), Some("old"));
    hand.advance(Duration::from_millis(999));
    assert_eq!(look(&memory, Some("new")), Some("old"), "4.999 s after the lookup began");
    hand.advance(Duration::from_millis(1));
    assert_eq!(look(&memory, Some("new")), Some("new"), "5 s after it began, 4 s after the change");
}

#[test]
fn given_a_lookup_slower_than_the_ttl_then_its_fact_is_not_remembered() {
    let (memory, hand) = memory(TTL, 10);
    let slow = async {
        hand.advance(TTL);
        Ok(Some("old"))
    };
    assert_eq!(block_on(memory.get_or_find(1, slow)).unwrap(), Some("old"));
    assert_eq!(look(&memory, Some("new")), Some("new"));
}

#[test]
fn given_two_lookups_at_once_then_the_one_that_began_later_is_remembered() {
    let (memory, hand) = memory(TTL, 10);
    let slow = async {
        hand.advance(Duration::from_secs(1));
        assert_eq!(memory.get_or_find(1, async { Ok(Some("new")) }).await.unwrap(), Some("new"));
        Ok(Some("old"))
    };
    assert_eq!(block_on(memory.get_or_find(1, slow)).unwrap(), Some("old"));
    assert_eq!(look(&memory, Some("neither")), Some("new"));
    assert_eq!(memory.stats(), stats(1, 2));
}

#[test]
fn given_nothing_found_then_the_store_is_asked_again() {
    let (memory, _) = memory(TTL, 10);
    assert_eq!(look(&memory, None), None);
    assert_eq!(look(&memory, Some("fresh")), Some("fresh"));
    assert_eq!(memory.stats(), stats(0, 2));
}

#[test]
fn given_a_failure_then_it_is_passed_on_and_not_remembered() {
    let (memory, hand) = memory(TTL, 10);
    assert_eq!(look(&memory, Some("old")), Some("old"));
    hand.advance(TTL);
    let failing = async { Err(StoreError::new(StoreErrorKind::Unavailable, "testing")) };
    let error = block_on(memory.get_or_find(1, failing)).unwrap_err();
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unavailable,
        "an old fact does not stand in for a failed lookup"
    );
    assert_eq!(look(&memory, Some("new")), Some("new"));
}

#[test]
fn given_a_ttl_of_zero_then_every_call_passes_through() {
    let (memory, _) = memory(Duration::ZERO, 10);
    assert_eq!(look(&memory, Some("old")), Some("old"));
    assert_eq!(look(&memory, Some("new")), Some("new"));
    assert_eq!(memory.stats(), stats(0, 2));
}

#[test]
fn given_the_longest_ttl_then_it_is_a_memory_all_the_same() {
    let (memory, hand) = memory(Duration::MAX, 10);
    assert_eq!(look(&memory, Some("old")), Some("old"));
    hand.advance(Duration::from_hours(1));
    assert_eq!(look(&memory, Some("new")), Some("old"));
}

#[test]
fn given_more_facts_than_fit_then_some_are_forgotten() {
    let (memory, _) = memory(TTL, 10);
    for key in 0..1_000 {
        block_on(memory.get_or_find(key, async { Ok(Some("fact")) })).unwrap();
    }
    let count = memory.entries();
    assert!((1..=10).contains(&count), "{count} entries");
}
