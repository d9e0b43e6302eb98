//! Reports the state of the server to systemd by sd_notify(3), and feeds its watchdog. Where no service manager listens, nothing is sent.

use esoz_http::Workers;
use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Reports that the server is ready, after its start or a reload, with this text for `systemctl status`.
pub(crate) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports that a reload begins; [`ready`] ends it.
pub(crate) fn reloading() {
    // By the time systemd tells this reload from an earlier one.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now, NotifyState::Status("reloading")]),
        Err(error) => tracing::warn!(%error, "the reload could not be reported to systemd"),
    }
}

/// Reports that the shutdown begins.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("finishing the requests in flight")]);
}

/// Feeds the watchdog of the service manager at a quarter of its time limit, until aborted, as long as every worker thread responds: systemd restarts a
/// server whose worker is blocked. A store that is away changes nothing here, because a restart would not bring it back.
pub(crate) async fn feed_watchdog(workers: Workers) {
    let Some(pause) = sd_notify::watchdog_enabled().map(|limit| limit / 4).filter(|pause| !pause.is_zero())
    else {
        return;
    };
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match timeout(pause, workers.respond()).await {
            Ok(()) => notify(&[NotifyState::Watchdog]),
            Err(_) => {
                tracing::error!(
                    "a worker thread is blocked: the watchdog of systemd is not fed, which will restart the server"
                );
            }
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the state of the server could not be reported to systemd; check NOTIFY_SOCKET");
    }
}
