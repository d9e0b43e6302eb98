use std::fmt;

/// The pseudonym of a patient in a store, computed from the patient id. `Debug` hides it, and it never leaves the service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// Wraps a computed or a stored pseudonym.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, to store it and to compare with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pseudonym(…)")
    }
}
