use std::collections::HashMap;

use esoz_kernel::{IdempotentRequest, Replay, Timestamp};

/// The keys that changes were made under, each with the request, the time and the first answer.
#[derive(Debug)]
pub(super) struct Keys<T>(HashMap<[u8; 32], (IdempotentRequest, Timestamp, T)>);

impl<T> Default for Keys<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Clone> Keys<T> {
    pub(super) fn replay(
        &self,
        idempotency: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> Option<Replay<T>> {
        let idempotency = idempotency?;
        let (kept, since, answer) = self.0.get(idempotency.key())?;
        idempotency.replay(kept.request(), *since, now, || answer.clone())
    }

    pub(super) fn keep(&mut self, idempotency: Option<&IdempotentRequest>, since: Timestamp, answer: &T) {
        if let Some(idempotency) = idempotency {
            self.0.insert(*idempotency.key(), (*idempotency, since, answer.clone()));
        }
    }

    pub(super) fn forget(&mut self, until: Timestamp, most: u32) -> u64 {
        let old = self.0.iter().filter(|(_, (_, since, _))| *since <= until).map(|(key, _)| *key);
        let old: Vec<_> = old.take(usize::try_from(most).unwrap_or(usize::MAX)).collect();
        for key in &old {
            self.0.remove(key);
        }
        u64::try_from(old.len()).unwrap_or(u64::MAX)
    }
}
