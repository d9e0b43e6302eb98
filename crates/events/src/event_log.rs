use async_trait::async_trait;
use esoz_kernel::{EventId, Page, PageRequest, StoreError, failure};

use crate::logged_event::is_searchable;
use crate::{EventPosition, LoggedEvent, Period};

failure! {
    /// Why events cannot be listed by an attribute.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum AttributeError {
        /// A new value is given without the attribute that has it.
        NameMissing => Invalid, "attribute_name_missing", "attribute_name is required with new_value", at "$.attribute_name";
    }
}

/// The attribute that an event must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// A key of its properties, literally: a dot in it is a dot.
    pub name: String,
    /// The text of the key's `new_value`; `None`: any, or none.
    pub new_value: Option<String>,
}

impl Attribute {
    /// The attribute of these filters, if they name one.
    ///
    /// # Errors
    /// [`AttributeError`] when there is a value without a name.
    pub fn new(name: Option<String>, new_value: Option<String>) -> Result<Option<Self>, AttributeError> {
        match (name, new_value) {
            (Some(name), new_value) => Ok(Some(Self { name, new_value })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(AttributeError::NameMissing),
        }
    }
}

/// Which events are listed: those that meet all of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// That happened in this period.
    pub period: Period,
    /// Of this type; `None`: any.
    pub event_type: Option<String>,
    /// Of entities of this type; `None`: any.
    pub entity_type: Option<String>,
    /// With this attribute; `None`: any.
    pub attribute: Option<Attribute>,
}

impl EventFilter {
    /// Whether an event meets the filter. Stores compare [`Properties::attributes`](crate::Properties::attributes) in the same way.
    pub fn matches(&self, event: &LoggedEvent) -> bool {
        self.period.contains(event.event_time)
            && self.event_type.as_ref().is_none_or(|wanted| event.event_type == *wanted)
            && self.entity_type.as_ref().is_none_or(|wanted| event.entity_type == *wanted)
            && self.attribute.as_ref().is_none_or(|Attribute { name, new_value }| {
                let attributes = event.properties.attributes();
                attributes.get(name).is_some_and(|text| new_value.is_none() || text == new_value)
            })
    }

    /// Whether some event could meet it. A store need not be asked for texts that none holds.
    pub(crate) fn can_match(&self) -> bool {
        let attribute =
            self.attribute.iter().flat_map(|one| std::iter::once(&one.name).chain(&one.new_value));
        self.event_type.iter().chain(&self.entity_type).chain(attribute).all(|text| is_searchable(text))
    }
}

/// The event log: stores events and finds them again.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Stores the events whose ids are not stored yet, all or none, durably; returns how many those were. A stored event stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails; then no event of the call is stored.
    async fn store(&self, events: &[LoggedEvent]) -> Result<u64, StoreError>;

    /// Finds an event; `Ok(None)` when there is none with that id.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails; of kind `Corrupt` when the event is stored but cannot be read.
    async fn find(&self, id: EventId) -> Result<Option<LoggedEvent>, StoreError>;

    /// Lists the events that [match](EventFilter::matches), in the order of their [positions](EventPosition), as of one instant.
    /// What cannot be read MUST be an error in its place, of kind `Corrupt`, which names table, id and field; it is counted.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    async fn list(
        &self,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<Result<LoggedEvent, StoreError>>, StoreError>;

    /// Returns the position of the `n`-th event from the end of the log, the last one being the first; `Ok(None)` when the log has fewer events or `n`
    /// is 0. MUST NOT read more of an event than its position; where that cannot be read, it returns the next older position that can.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    async fn nth_newest(&self, n: u64) -> Result<Option<EventPosition>, StoreError>;

    /// Removes events before that position, whose time is a whole millisecond: the first of the log first, at most `limit`. Returns how many it removed;
    /// 0 when none is left. MUST remove what cannot be read like any other event.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    async fn remove_before(&self, position: EventPosition, limit: u32) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_value_without_a_name_then_the_name_is_missing() {
        let (status, stopped) = (|| "status".to_owned(), || "stopped".to_owned());
        assert_eq!(Attribute::new(None, Some(stopped())), Err(AttributeError::NameMissing));
        assert_eq!(Attribute::new(None, None), Ok(None));
        for new_value in [None, Some(stopped())] {
            let expected = Attribute { name: status(), new_value: new_value.clone() };
            assert_eq!(Attribute::new(Some(status()), new_value), Ok(Some(expected)));
        }
    }
}
