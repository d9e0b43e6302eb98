//! How often what happened.

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Polls of tasks.
    pub steps: u64,
    /// Calls that were refused without having happened.
    pub refused: u64,
    /// Calls whose answer was lost.
    pub lost: u64,
    /// Calls that arrived when nobody waited for them any more.
    pub late: u64,
    /// Calls and messages that arrived twice.
    pub twice: u64,
    /// Server processes that were killed.
    pub killed: u64,
    /// Requests, each repetition counted.
    pub requests: u64,
    /// Requests that were carried out and answered so.
    pub carried_out: u64,
    /// Requests that got no answer, or one that says nothing about what happened.
    pub unanswered: u64,
    /// Messages that were delivered, repetitions included.
    pub messages: u64,
    /// Dispenses that expired.
    pub expired: u64,
    /// Dispenses that were recorded.
    pub recorded: u64,
    /// Dispenses that were completed.
    pub completed: u64,
    /// Dispenses that were marked in error.
    pub in_error: u64,
    /// Containers of failed changes that were swept.
    pub swept: u64,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.refused += other.refused;
        self.lost += other.lost;
        self.late += other.late;
        self.twice += other.twice;
        self.killed += other.killed;
        self.requests += other.requests;
        self.carried_out += other.carried_out;
        self.unanswered += other.unanswered;
        self.messages += other.messages;
        self.expired += other.expired;
        self.recorded += other.recorded;
        self.completed += other.completed;
        self.in_error += other.in_error;
        self.swept += other.swept;
    }
}
