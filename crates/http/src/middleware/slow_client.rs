//! Closes connections that send a request too slowly (slowloris), or do not take their answers.

use std::cell::Cell;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::{net::TcpStream as Accepted, spawn, task::JoinHandle, time::sleep_until};

/// The activity of a connection.
#[derive(Clone, Copy)]
struct Activity {
    /// The number of its requests that are being answered.
    answering: usize,
    /// The time of the connection, or of the end of the last answer.
    since: Instant,
}

/// Closes a connection when for too long none of its requests is being answered: its client does not finish a request, or does not take an
/// answer. (The framework limits the time of the first request alone.)
pub(crate) struct SlowClientGuard {
    activity: Rc<Cell<Activity>>,
    watch: JoinHandle<()>,
}

impl SlowClientGuard {
    /// Watches a new connection. It may be for `idle_timeout` without a request that is being answered.
    pub(crate) fn watch(connection: &Accepted, idle_timeout: Duration) -> Option<Self> {
        // A second handle closes the socket. Without file descriptors for it, the limit on connections must do.
        let handle = connection.as_fd().try_clone_to_owned().ok()?;
        let activity = Rc::new(Cell::new(Activity { answering: 0, since: Instant::now() }));
        let watch = spawn(watch(activity.clone(), TcpStream::from(handle), idle_timeout));
        Some(Self { activity, watch })
    }

    /// Marks a request as being answered until the returned guard is dropped.
    pub(crate) fn answering(&self) -> Answering {
        self.activity
            .update(|activity| Activity { answering: activity.answering.saturating_add(1), ..activity });
        Answering(self.activity.clone())
    }
}

impl Drop for SlowClientGuard {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// A request that is being answered.
pub(crate) struct Answering(Rc<Cell<Activity>>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.update(|Activity { answering, .. }| Activity {
            answering: answering.saturating_sub(1),
            since: Instant::now(),
        });
    }
}

async fn watch(activity: Rc<Cell<Activity>>, socket: TcpStream, idle_timeout: Duration) {
    loop {
        let (now, Activity { answering, since }) = (Instant::now(), activity.get());
        let end = if answering > 0 { now + idle_timeout } else { since + idle_timeout };
        if end <= now {
            // Fails when the socket is closed already.
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
        sleep_until(end.into()).await;
    }
}
