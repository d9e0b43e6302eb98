//! Reading files of a running server without waiting for a file system that does not answer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// How long reading files is waited for.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads files on a thread of its own, one call at a time: a file system that does not answer holds the thread, and nobody else. A call that is no
/// longer waited for still ends when the file system answers.
pub(crate) async fn read_files<S, T>(state: &Arc<Mutex<S>>, read: fn(&mut S) -> T) -> Result<T>
where
    S: Send + 'static,
    T: Send + 'static,
{
    let state = Arc::clone(state);
    let reading = async move {
        let mut state = state.lock_owned().await;
        spawn_blocking(move || read(&mut state)).await
    };
    match tokio::time::timeout(READ_TIMEOUT, reading).await {
        Ok(done) => done.context("the task that reads files"),
        Err(_) => {
            bail!("the files could not be read within {READ_TIMEOUT:?}: their file system does not answer")
        }
    }
}
