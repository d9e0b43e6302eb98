use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Runs two futures side by side, in one task, and returns both outcomes when both are there.
pub async fn join<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(outcome) = one.as_mut().poll(context)
        {
            first = Some(outcome);
        }
        if second.is_none()
            && let Poll::Ready(outcome) = other.as_mut().poll(context)
        {
            second = Some(outcome);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::task::{Context, Waker};

    use super::*;

    /// A future that is ready once the gate is open, and notes that it was polled.
    fn gated<'a>(gate: &'a Cell<bool>, polls: &'a Cell<u32>, value: u32) -> impl Future<Output = u32> + 'a {
        poll_fn(move |_| {
            polls.set(polls.get() + 1);
            if gate.get() { Poll::Ready(value) } else { Poll::Pending }
        })
    }

    #[test]
    fn both_run_at_once_and_neither_is_polled_after_its_end() {
        let gates = [Cell::new(false), Cell::new(false)];
        let polls = [Cell::new(0), Cell::new(0)];
        let mut joined = pin!(join(gated(&gates[0], &polls[0], 1), gated(&gates[1], &polls[1], 2)));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(joined.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(polls.each_ref().map(Cell::get), [1, 1]);
        gates[1].set(true);
        assert_eq!(joined.as_mut().poll(&mut context), Poll::Pending);
        gates[0].set(true);
        assert_eq!(joined.as_mut().poll(&mut context), Poll::Ready((1, 2)));
        assert_eq!(polls.each_ref().map(Cell::get), [3, 2]);
    }
}
