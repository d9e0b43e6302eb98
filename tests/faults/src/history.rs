//! What was asked and what was answered: every operation with its beginning, its end and its outcome.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What an operation is for. Ids are lower-case UUIDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Action {
    /// Stop this dispense.
    Stop {
        /// Which.
        dispense: String,
    },
    /// Another system sets a stopped dispense in progress again, past the server: so that one dispense is stopped many times.
    Reopen {
        /// Which.
        dispense: String,
    },
    /// Point this contract division at that contract and division.
    Update {
        /// Which.
        record: String,
        /// The new contract.
        contract: String,
        /// The new division.
        division: String,
    },
    /// Revoke this token, as an operator does.
    Revoke {
        /// Its number.
        token: u32,
    },
    /// A request that may not take effect, whatever the state is.
    Refused {
        /// The status that it must be answered with.
        expected: u16,
    },
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// It was done: 200, or what stands for it where no HTTP is spoken.
    Done {
        /// When it took effect, as the answer says.
        at: String,
        /// Who did it, as the answer says.
        by: String,
        /// What the answer says the record is now: the status of a dispense; contract and division of a contract division.
        state: Vec<String>,
    },
    /// It was refused.
    Refused {
        /// The status of the answer.
        status: u16,
        /// The message of the error.
        message: String,
    },
    /// There was no answer; it may have been done.
    Unanswered {
        /// What there was instead.
        why: String,
    },
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its number in the run, by which it is told.
    pub number: u64,
    /// Who sent it.
    pub client: u32,
    /// What it is for.
    pub action: Action,
    /// The number of the token that it carried.
    pub token: Option<u32>,
    /// The user that it acts for.
    pub user: String,
    /// Its `X-Request-ID`.
    pub request_id: String,
    /// Its `X-Idempotency-Key`.
    pub key: Option<String>,
    /// The number of the operation of which it is the same request again.
    pub again: Option<u64>,
    /// When it began, in microseconds since the run began.
    pub started_us: u64,
    /// When its end was seen, the same way.
    pub ended_us: u64,
    /// How it ended.
    pub outcome: Outcome,
}

impl Operation {
    /// Whether its answer tells that it was done.
    pub const fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Done { .. })
    }

    /// Whether it is open if it took effect: no answer, or one that says that the server could not tell.
    pub const fn is_unclear(&self) -> bool {
        matches!(self.outcome, Outcome::Unanswered { .. } | Outcome::Refused { status: 500.., .. })
    }

    /// What all requests that must take effect once together have in common: the key, else this very request.
    pub fn group(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.request_id)
    }
}

/// An operation that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Its number.
    pub number: u64,
    /// When it began, in microseconds since the run began.
    pub started_us: u64,
}

/// Takes down a run's history, from any number of tasks.
#[derive(Debug)]
pub struct Recorder {
    epoch: Instant,
    next: AtomicU64,
    operations: Mutex<Vec<Operation>>,
    only_counts: AtomicBool,
    counted: AtomicUsize,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            next: AtomicU64::new(1),
            operations: Mutex::default(),
            only_counts: AtomicBool::new(false),
            counted: AtomicUsize::new(0),
        }
    }
}

impl Recorder {
    /// Microseconds since the run began.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// An operation begins now.
    pub fn begin(&self) -> Begun {
        Begun { number: self.next.fetch_add(1, Ordering::Relaxed), started_us: self.now_us() }
    }

    /// From now on operations that were done are counted and not kept: there will be more of them than memory holds.
    pub fn only_count_what_is_done(&self) {
        self.only_counts.store(true, Ordering::Relaxed);
    }

    /// How many operations were done and not kept.
    pub fn counted(&self) -> usize {
        self.counted.load(Ordering::Relaxed)
    }

    /// An operation has ended.
    pub fn record(&self, operation: Operation) {
        if operation.is_done() && self.only_counts.load(Ordering::Relaxed) {
            self.counted.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    /// How many operations of that kind were kept until now.
    pub fn count(&self, of_kind: impl Fn(&Operation) -> bool) -> usize {
        let operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        operations.iter().filter(|operation| of_kind(operation)).count()
    }

    /// Everything that was kept, in the order of beginnings.
    pub fn history(&self) -> Vec<Operation> {
        let mut history = self.operations.lock().unwrap_or_else(PoisonError::into_inner).clone();
        history.sort_by_key(|operation| operation.number);
        history
    }
}

/// Writes a history, one operation per line as JSON.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, history: &[Operation]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for operation in history {
        serde_json::to_writer(&mut file, operation)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}
