//! Connections that do not come to the point.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::{net::TcpStream as Accepted, spawn, task::JoinHandle, time::sleep_until};

/// What a connection is doing.
struct Activity {
    /// How many of its requests are being answered.
    answering: usize,
    /// When it last began or ended to be answered.
    since: Instant,
}

/// A connection. It is closed when for too long none of its requests is being answered: its client sends no request to its end, or
/// does not take its answer. (The framework itself sees to that before the first request alone.)
pub(crate) struct SlowClientGuard {
    pace: Arc<Mutex<Activity>>,
    watch: JoinHandle<()>,
}

impl SlowClientGuard {
    /// Watches each connection that is made; `patience` is how long it may be without a request that is being answered.
    pub(crate) fn on_connect(
        patience: Duration,
    ) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static {
        move |io, extensions| {
            let accepted = io
                .downcast_ref::<Accepted>()
                .or_else(|| io.downcast_ref::<TlsStream<Accepted>>().map(|tls| tls.get_ref().0));
            // A second handle on the socket, only to close it by. Where there is none, descriptors are short, and the limits on
            // connections must do.
            let handle = accepted.and_then(|accepted| accepted.as_fd().try_clone_to_owned().ok());
            if let Some(handle) = handle {
                let pace = Arc::new(Mutex::new(Activity { answering: 0, since: Instant::now() }));
                let watch = spawn(watch(pace.clone(), TcpStream::from(handle), patience));
                extensions.insert(Self { pace, watch });
            }
        }
    }

    /// One of its requests is being answered, until what this gives is dropped.
    pub(crate) fn answering(&self) -> Answering {
        lock(&self.pace).answering += 1;
        Answering(self.pace.clone())
    }
}

impl Drop for SlowClientGuard {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// A request that is being answered.
pub(crate) struct Answering(Arc<Mutex<Activity>>);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut pace = lock(&self.0);
        pace.answering = pace.answering.saturating_sub(1);
        pace.since = Instant::now();
    }
}

async fn watch(pace: Arc<Mutex<Activity>>, socket: TcpStream, patience: Duration) {
    loop {
        let now = Instant::now();
        let end = {
            let pace = lock(&pace);
            if pace.answering > 0 { now + patience } else { pace.since + patience }
        };
        if end <= now {
            // It is closed already, or it is now: both are what is wanted.
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
        sleep_until(end.into()).await;
    }
}

fn lock(pace: &Mutex<Activity>) -> MutexGuard<'_, Activity> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}
