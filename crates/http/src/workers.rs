use std::future::ready;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;

/// The worker threads of a server, each with an event loop of its own.
#[derive(Debug, Clone, Default)]
pub struct Workers(Arc<watch::Sender<Vec<Handle>>>);

impl Workers {
    /// Registers the worker that calls this.
    pub(crate) fn register(&self) {
        self.0.send_modify(|workers| workers.push(Handle::current()));
    }

    /// Resolves when the first worker runs: the server accepts connections.
    pub async fn started(&self) {
        // The sender lives as long as this does.
        drop(self.0.subscribe().wait_for(|workers| !workers.is_empty()).await);
    }

    /// Resolves when every worker has run a task: none of them is blocked. A worker that has ended counts as one that is not.
    pub async fn respond(&self) {
        let workers = self.0.borrow().clone();
        for task in workers.iter().map(|worker| worker.spawn(ready(()))).collect::<Vec<_>>() {
            // A runtime that has ended cancels the task.
            drop(task.await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn workers_respond_unless_one_of_them_is_blocked() {
        let workers = Workers::default();
        assert!(timeout(Duration::ZERO, workers.started()).await.is_err());
        let mut threads = Vec::new();
        for _ in 0..2 {
            let (register, registered) = (workers.clone(), mpsc::channel());
            let (stop, stopped) = oneshot::channel::<()>();
            let thread = thread::spawn(move || {
                let runtime = Builder::new_current_thread().build().unwrap();
                runtime.block_on(async move {
                    register.register();
                    registered.0.send(()).unwrap();
                    let _ = stopped.await;
                });
            });
            registered.1.recv().unwrap();
            threads.push((thread, stop));
        }
        workers.started().await;
        workers.respond().await;

        let blocked = workers.0.borrow().first().unwrap().clone();
        let (unblock, wait) = mpsc::channel::<()>();
        blocked.spawn(async move {
            let _ = wait.recv();
        });
        assert!(timeout(Duration::from_millis(100), workers.respond()).await.is_err());
        drop(unblock);
        workers.respond().await;

        for (thread, stop) in threads {
            drop(stop);
            thread.join().unwrap();
        }
        workers.respond().await;
    }
}
