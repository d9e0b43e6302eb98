use std::collections::HashMap;

use esoz_kernel::{Once, Recalled, Timestamp};

/// The keys that changes were made under, each with the request, the time and the first answer.
#[derive(Debug)]
pub(super) struct Keys<T>(HashMap<[u8; 32], (Once, Timestamp, T)>);

impl<T> Default for Keys<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Clone> Keys<T> {
    pub(super) fn recall(&self, once: Option<&Once>, now: Timestamp) -> Option<Recalled<T>> {
        let once = once?;
        let (kept, since, answer) = self.0.get(once.key())?;
        once.recall(kept.request(), *since, now, || answer.clone())
    }

    pub(super) fn keep(&mut self, once: Option<&Once>, since: Timestamp, answer: &T) {
        if let Some(once) = once {
            self.0.insert(*once.key(), (*once, since, answer.clone()));
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
