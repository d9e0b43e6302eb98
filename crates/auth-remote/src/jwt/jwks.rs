//! A cache of the issuer's signing keys (JWKS) with bounded refreshes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use esoz_https::{RemoteClient, RequestError};
use esoz_kernel::{Clock, Timestamp};
use hyper::{Request, StatusCode};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::JwtSettings;
use super::jwk::{KeySet, Published};
use crate::error::RemoteError;

/// The keys, the time of their fetch, and the last failure.
pub(crate) struct Jwks {
    pub(super) server: RemoteClient,
    settings: JwtSettings,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held during a fetch; concurrent callers wait for its result.
    fetch_lock: Arc<AsyncMutex<()>>,
}

/// Changes as a whole when a fetch ends.
#[derive(Clone, Default)]
struct State {
    keys: Option<Fetched>,
    /// The number of fetches that ended, successful or not.
    fetches: u64,
    last_fetch_at: Option<Timestamp>,
    /// The error of the last fetch, if it failed.
    error: Option<RemoteError>,
}

#[derive(Clone)]
struct Fetched {
    keys: Arc<KeySet>,
    at: Timestamp,
}

impl Jwks {
    pub(crate) fn new(server: RemoteClient, settings: JwtSettings, clock: Arc<dyn Clock>) -> Self {
        Self { server, settings, clock, state: Mutex::default(), fetch_lock: Arc::default() }
    }

    /// Returns the keys for a token with that key id. Fetches them if they are due, or lack that id, and the last fetch was long enough
    /// ago.
    ///
    /// While the issuer is down, callers whose keys are stale but usable do not wait for the fetch. While it is up they do, so that a key
    /// that it withdrew is refused as soon as the keys are due.
    ///
    /// # Errors
    /// [`RemoteError`] when the keys have expired; or when they lack that id and the fetch of newer ones failed.
    pub(crate) async fn current(self: &Arc<Self>, kid: Option<&str>) -> Result<Arc<KeySet>, RemoteError> {
        let snapshot = self.state().clone();
        let now = self.clock.now();
        if self.is_due(&snapshot, kid, now) && self.may_fetch(&snapshot, now) {
            let is_down = snapshot.error.is_some();
            if is_down && self.usable(snapshot.clone(), kid, now).is_ok() {
                self.refresh_in_background();
            } else {
                self.refresh(snapshot.fetches).await;
            }
        }
        let state = self.state().clone();
        self.usable(state, kid, self.clock.now())
    }

    fn is_due(&self, state: &State, kid: Option<&str>, now: Timestamp) -> bool {
        state.keys.as_ref().is_none_or(|fetched| {
            seconds(fetched.at, now) >= self.settings.refresh_after_s.into()
                || kid.is_some_and(|kid| !fetched.keys.knows(kid))
        })
    }

    fn may_fetch(&self, state: &State, now: Timestamp) -> bool {
        state.last_fetch_at.is_none_or(|at| seconds(at, now) >= self.settings.min_refresh_interval_s.into())
    }

    fn usable(&self, state: State, kid: Option<&str>, now: Timestamp) -> Result<Arc<KeySet>, RemoteError> {
        let error = state.error.clone();
        let expiry = u64::from(self.settings.refresh_after_s) + u64::from(self.settings.max_stale_s);
        let fresh = state.keys.filter(|fetched| seconds(fetched.at, now) < expiry);
        match (fresh, error) {
            (Some(fetched), Some(error)) if kid.is_some_and(|kid| !fetched.keys.knows(kid)) => Err(error),
            (Some(fetched), _) => Ok(fetched.keys),
            (None, error) => Err(error.unwrap_or(RemoteError::NoKeys)),
        }
    }

    /// Fetches the keys, unless another caller did since `fetches` was read. The fetch is a task of its own, so that a cancelled caller
    /// does not cancel it.
    async fn refresh(self: &Arc<Self>, fetches: u64) {
        let fetch_lock = Arc::clone(&self.fetch_lock).lock_owned().await;
        if self.state().fetches != fetches {
            return;
        }
        if let Err(error) = self.spawn_fetch(fetch_lock).await {
            tracing::error!(server = self.server.name(), %error, "the fetch of the signing keys was cancelled");
        }
    }

    /// Starts a fetch, unless one is running.
    fn refresh_in_background(self: &Arc<Self>) {
        if let Ok(fetch_lock) = Arc::clone(&self.fetch_lock).try_lock_owned() {
            self.spawn_fetch(fetch_lock);
        }
    }

    fn spawn_fetch(self: &Arc<Self>, fetch_lock: OwnedMutexGuard<()>) -> JoinHandle<()> {
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = this.fetch().await;
            this.record(outcome);
            drop(fetch_lock);
        })
    }

    async fn fetch(&self) -> Result<KeySet, RemoteError> {
        let answer = self.server.send(Request::get(self.server.uri()), String::new()).await?;
        if answer.status() != StatusCode::OK {
            return Err(RequestError::status(answer.status()).into());
        }
        let (keys, ignored) = answer.read::<Published>()?.usable();
        let server = self.server.name();
        if keys.is_empty() {
            // Not an error: an issuer may withdraw its keys.
            tracing::warn!(
                server,
                ignored,
                "no signing key of the issuer can be used; every token is refused"
            );
        } else if ignored > 0 {
            tracing::debug!(server, ignored, "some keys of the issuer cannot be used");
        }
        if keys.is_ambiguous() {
            tracing::warn!(
                server,
                "different signing keys of the issuer share a `kid`; tokens that name it are refused: the issuer must give each \
                 key a `kid` of its own"
            );
        }
        Ok(keys)
    }

    fn record(&self, outcome: Result<KeySet, RemoteError>) {
        let now = self.clock.now();
        let mut state = self.state();
        state.fetches += 1;
        state.last_fetch_at = Some(now);
        match outcome {
            Ok(keys) => {
                state.keys = Some(Fetched { keys: Arc::new(keys), at: now });
                state.error = None;
            }
            Err(error) => {
                let server = self.server.name();
                tracing::warn!(server, error = %error, "the issuer's signing keys could not be fetched");
                state.error = Some(error);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The absolute time between the two, in whole seconds: a clock that was set back must not make keys fresh again.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    to.duration_since(from).unsigned_abs().as_secs()
}
