/// How busy the connections of a store are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections that are open, or being opened, and that nobody uses.
    pub idle: usize,
    /// Connections that are used.
    pub in_use: usize,
    /// The most that may be open; where there are several servers, to each.
    pub max: usize,
    /// Calls that wait for their turn; `None` where nobody counts them.
    pub waiting: Option<usize>,
}
