use std::sync::Arc;

use tokio::sync::Barrier;

/// Runs every future as a task of its own, none before all are ready, and gives their outcomes in their order.
pub(super) async fn all_at_once<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let futures: Vec<F> = futures.into_iter().collect();
    let gate = Arc::new(Barrier::new(futures.len()));
    let started: Vec<_> = futures
        .into_iter()
        .map(|future| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                gate.wait().await;
                // Those that the last one woke are queued behind it on its thread; standing back lets all threads take one.
                tokio::task::yield_now().await;
                future.await
            })
        })
        .collect();
    let mut outcomes = Vec::with_capacity(started.len());
    for task in started {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}
