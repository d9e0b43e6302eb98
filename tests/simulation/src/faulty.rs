//! Ports as they are reached over a network that fails: each call waits, may be refused, lose its answer, arrive late or twice.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use esoz_events::{EventPublisher, PublishError, StatusChangeEvent};
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_testkit::store_ports;

use crate::fate::Fate;
use crate::sim::Sim;
use crate::watch::Watch;

type Answered<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// A port behind that network.
pub(crate) struct Faulty<P: ?Sized> {
    pub(crate) inner: Arc<P>,
    pub(crate) sim: Arc<Sim>,
    pub(crate) watch: Arc<Watch>,
}

/// The calls that do something else when they are made twice, and that a store may refuse since others are in their way.
const CHANGING: [&str; 5] = ["commit", "write", "create", "change", "put"];

impl<P: ?Sized + Send + Sync + 'static> Faulty<P> {
    async fn through<T: Send + 'static>(
        &self,
        what: &'static str,
        carry_out: impl Fn(Arc<P>) -> Answered<T> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let is_changing = CHANGING.contains(&what);
        let failed = |kind| Err(StoreError::new(kind, what));
        self.sim.pause().await;
        match self.sim.fate(what, is_changing, !is_changing) {
            Fate::Refused(kind) => failed(kind),
            Fate::Late => {
                let (inner, sim, watch) = (self.inner.clone(), self.sim.clone(), self.watch.clone());
                self.sim.send_late(async move {
                    let outcome = carry_out(inner).await;
                    sim.note(|| format!("{what}, late: {}", word(&outcome)));
                    watch.look();
                });
                failed(StoreErrorKind::Unavailable)
            }
            Fate::Lost => {
                let outcome = self.carried_out(what, &carry_out).await;
                self.sim.pause().await;
                outcome.and_then(|_| failed(StoreErrorKind::Unavailable))
            }
            Fate::Twice => {
                self.carried_out(what, &carry_out).await?;
                self.sim.pause().await;
                self.carried_out(what, &carry_out).await
            }
            Fate::Good => {
                let outcome = self.carried_out(what, &carry_out).await;
                self.sim.pause().await;
                outcome
            }
        }
    }

    async fn carried_out<T>(
        &self,
        what: &str,
        carry_out: &(impl Fn(Arc<P>) -> Answered<T> + Send + Sync),
    ) -> Result<T, StoreError> {
        let outcome = carry_out(self.inner.clone()).await;
        self.sim.note(|| format!("{what}: {}", word(&outcome)));
        self.watch.look();
        outcome
    }
}

fn word<T>(outcome: &Result<T, StoreError>) -> String {
    outcome.as_ref().map_or_else(StoreError::with_causes, |_| "carried out".to_owned())
}

/// How a call gets at its arguments each time that it is carried out.
trait Lend<'a, To> {
    fn lend(&'a self) -> To;
}

impl<T: Clone> Lend<'_, T> for T {
    fn lend(&self) -> T {
        self.clone()
    }
}

impl<'a, T> Lend<'a, &'a T> for T {
    fn lend(&'a self) -> &'a T {
        self
    }
}

impl<'a> Lend<'a, &'a str> for String {
    fn lend(&'a self) -> &'a str {
        self
    }
}

impl<'a, T> Lend<'a, &'a [T]> for Vec<T> {
    fn lend(&'a self) -> &'a [T] {
        self
    }
}

/// Puts every method of a store port behind that network.
macro_rules! faulty {
    ($($_double:ident: $domain:ident::$port:ident {
        $($method:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+
    })+) => {$(
        #[async_trait]
        impl $domain::$port for Faulty<dyn $domain::$port> {
            $(
                async fn $method(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                    $(let $argument = $argument.to_owned();)*
                    let carry_out = move |inner: Arc<dyn $domain::$port>| -> Answered<$answer> {
                        $(let $argument = $argument.clone();)*
                        Box::pin(async move { inner.$method($($argument.lend()),*).await })
                    };
                    self.through(stringify!($method), carry_out).await
                }
            )+
        }
    )+};
}

store_ports!(faulty);

#[async_trait]
impl EventPublisher for Faulty<dyn EventPublisher> {
    /// The events of one call are of different entities: each goes its own way, in whatever order.
    async fn publish(&self, events: &[StatusChangeEvent]) -> Vec<Result<(), PublishError>> {
        let mut answers: Vec<Result<(), PublishError>> = events.iter().map(|_| Ok(())).collect();
        let mut order: Vec<usize> = (0..events.len()).collect();
        while !order.is_empty() {
            let index = order.swap_remove(self.sim.draw(|rng| rng.index(order.len())));
            let event = events[index].clone();
            self.sim.pause().await;
            let fate = self.sim.fate("publish", false, true);
            let times = match fate {
                Fate::Refused(_) | Fate::Late => 0,
                Fate::Good | Fate::Lost => 1,
                Fate::Twice => 2,
            };
            for _ in 0..times {
                self.inner.publish(std::slice::from_ref(&event)).await;
                self.sim.pause().await;
            }
            if fate == Fate::Late {
                let inner = self.inner.clone();
                self.sim.send_late(async move {
                    inner.publish(&[event]).await;
                });
            }
            if !matches!(fate, Fate::Good | Fate::Twice) {
                answers[index] = Err(PublishError::Unavailable(format!("{fate:?}")));
            }
        }
        answers
    }
}
