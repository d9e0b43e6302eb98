//! Rounds of a race, of different records, some of them at the same time.

use std::future::Future;

use esoz_tests::{Answer, Request};
use futures_util::future::join_all;

/// How often each race is run.
pub(crate) const ROUNDS: usize = 200;

/// So many rounds, of different records, are played at the same time.
const ROUNDS_AT_ONCE: usize = 8;

/// Plays a round for each of these, some of them at the same time; returns what came of each.
pub(crate) async fn rounds<T, R>(of: &[T], round: impl AsyncFn(usize, &T) -> R) -> Vec<R> {
    let mut outcomes = Vec::new();
    for (number, some) in of.chunks(ROUNDS_AT_ONCE).enumerate() {
        outcomes.extend(join_all(some.iter().map(|one| round(number, one))).await);
    }
    outcomes
}

/// Does both at once, in every second round the other one first.
pub(crate) async fn both<A, B>(
    round: usize,
    one: impl Future<Output = A> + Send + 'static,
    other: impl Future<Output = B> + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    if round.is_multiple_of(2) {
        let (one, other) = (tokio::spawn(one), tokio::spawn(other));
        (one.await.unwrap(), other.await.unwrap())
    } else {
        let (other, one) = (tokio::spawn(other), tokio::spawn(one));
        (one.await.unwrap(), other.await.unwrap())
    }
}

/// Sends both at once, in every second round the other one first.
pub(crate) async fn both_sent(round: usize, one: Request, other: Request) -> [Answer; 2] {
    let (one, other) = both(round, one.send(), other.send()).await;
    [one, other]
}
