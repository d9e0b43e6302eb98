use std::fmt;

/// What kind of fault was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A change that was answered with 200 is not in the store, or not in the audit.
    Lost,
    /// What was loaded is not there any more.
    Vanished,
    /// A request, or one key, took effect more than once.
    Twice,
    /// A dispense was stopped that was stopped already.
    StoppedTwice,
    /// A change, an audit row or an event that no request asked for.
    Uninvited,
    /// A change of a dispense has no event in the topic.
    EventLost,
    /// An event is in the topic whose change is not in the store.
    EventWithoutChange,
    /// An event is in the topic and not in the event log.
    NotLogged,
    /// The same event was delivered with two contents.
    EventChanged,
    /// The events of an entity came in another order than its changes.
    EventsOutOfOrder,
    /// An event still waits although everything was given the time to drain.
    Undelivered,
    /// Store and audit, or store and history, tell different things.
    Contradiction,
    /// An answer says something else than what was done.
    Dishonest,
    /// A request was refused and took effect all the same.
    RefusedAndDone,
    /// An operation took effect before one that had ended when it began.
    OutOfOrder,
    /// A request was refused for a state that could not have been.
    ImpossibleRefusal,
    /// Two records held one pair of contract and division at the same time.
    PairHeldTwice,
    /// A token was let in after its revocation had been answered and its bound was over.
    AfterRevocation,
    /// A token was not let in although nobody had begun to revoke it.
    TokenRefused,
    /// An answer that this request may not get.
    Unexpected,
    /// A request without an answer was never resolved by asking again.
    Unresolved,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of which kind.
    pub kind: Kind,
    /// What exactly, with the numbers of the operations and the ids of the entities.
    pub text: String,
}

impl Finding {
    /// A finding of that kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.kind, self.text)
    }
}
