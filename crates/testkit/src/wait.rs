//! Waiting for a condition with a deadline, instead of sleeping and hoping.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

const POLL_EVERY: Duration = Duration::from_millis(10);

/// What one look at the world may give: `Some`/`Ok` ends the wait, `None`/`Err` goes on with it.
pub trait Look {
    /// What is waited for.
    type Found;

    /// What was found, or the status to be told at the deadline.
    fn found(self) -> Result<Self::Found, String>;
}

impl<T> Look for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| String::from("nothing yet"))
    }
}

impl<T, E: Display> Look for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|status| status.to_string())
    }
}

/// Looks again and again, some milliseconds apart, until a look finds something.
///
/// # Panics
/// When nothing was found by the deadline, with `what` and the last status; also when a look itself hangs.
pub async fn wait_for<L: Look>(what: &str, deadline: Duration, mut look: impl AsyncFnMut() -> L) -> L::Found {
    let started = Instant::now();
    let mut status = String::from("never looked");
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, look()).await.map(Look::found) {
            Ok(Ok(found)) => return found,
            Ok(Err(last)) => status = last,
            Err(_) => give_up(what, deadline, &format!("a look did not end; before it: {status}")),
        }
        if started.elapsed() >= deadline {
            give_up(what, deadline, &status);
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// [`wait_for`] outside an async runtime.
///
/// # Panics
/// When nothing was found by the deadline, with `what` and the last status.
pub fn wait_for_blocking<L: Look>(what: &str, deadline: Duration, mut look: impl FnMut() -> L) -> L::Found {
    let started = Instant::now();
    loop {
        match look().found() {
            Ok(found) => return found,
            Err(status) if started.elapsed() >= deadline => give_up(what, deadline, &status),
            Err(_) => std::thread::sleep(POLL_EVERY),
        }
    }
}

#[expect(clippy::panic, reason = "the test has failed")]
fn give_up(what: &str, deadline: Duration, status: &str) -> ! {
    panic!("waited {deadline:?} in vain for {what}; last status: {status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ends_as_soon_as_something_is_found() {
        let mut looks = 0;
        let found = wait_for("the third look", Duration::from_secs(30), async || {
            looks += 1;
            (looks == 3).then_some("here")
        })
        .await;
        assert_eq!((found, looks), ("here", 3));
    }

    #[tokio::test]
    #[should_panic(expected = "in vain for a miracle; last status: look")]
    async fn tells_what_and_the_last_status() {
        let mut looks = 0;
        wait_for("a miracle", Duration::from_millis(15), async || {
            looks += 1;
            Err::<(), _>(format!("look {looks}"))
        })
        .await;
    }

    #[tokio::test]
    #[should_panic(
        expected = "in vain for an answer; last status: a look did not end; before it: never looked"
    )]
    async fn a_look_that_hangs_meets_the_deadline() {
        wait_for("an answer", Duration::from_millis(10), async || std::future::pending::<Option<()>>().await)
            .await;
    }

    #[test]
    #[should_panic(expected = "in vain for nothing; last status: nothing yet")]
    fn the_blocking_one_has_the_deadline_too() {
        wait_for_blocking("nothing", Duration::from_millis(10), || None::<()>);
    }
}
