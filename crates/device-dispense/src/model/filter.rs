//! What lists of dispenses can be filtered by.

use esoz_kernel::time::{ceil_to_millis, to_millis};
use esoz_kernel::{LegalEntityId, Pseudonym, Timestamp, Uuid, parse_uuid};
use serde_json::{Map, Value};

use super::dispense::{INSERTED_AT, STATUS, WHEN_HANDED_OVER};
use super::rules::concerns;
use super::status::DispenseStatus;

/// A property of the record that lists can be filtered by, like a `SearchParameter` of FHIR.
#[derive(Debug, PartialEq, Eq)]
pub struct SearchParameter {
    /// Its name.
    pub name: &'static str,
    /// The names of the fields that lead to the value. A list on the way is searched: one item with the value is enough.
    pub path: &'static [&'static str],
    /// The type of the value.
    pub kind: SearchKind,
    /// What the value names, in one sentence.
    pub meaning: &'static str,
}

/// The type of a value that is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchKind {
    /// An id: a UUID, stored as text in either case, or as a store keeps UUIDs.
    Id,
    /// A code: a text, compared letter by letter.
    Code,
}

/// A value that is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchValue {
    /// Of kind [`SearchKind::Id`].
    Id(Uuid),
    /// Of kind [`SearchKind::Code`].
    Code(String),
}

/// Every search parameter: the one table from which requests are parsed and described, and stores are queried.
pub static SEARCH_PARAMETERS: [SearchParameter; 10] = {
    use SearchKind::{Code, Id};
    const fn by(
        name: &'static str,
        path: &'static [&'static str],
        kind: SearchKind,
        meaning: &'static str,
    ) -> SearchParameter {
        SearchParameter { name, path, kind, meaning }
    }
    [
        by("based_on", &["based_on", "identifier", "value"], Id, "The device request."),
        by("performer", &["performer", "identifier", "value"], Id, "The employee who dispenses."),
        by("location", &["location", "identifier", "value"], Id, "The division where it is dispensed."),
        by("program", &["program", "identifier", "value"], Id, "The medical program."),
        by("part_of", &["part_of", "identifier", "value"], Id, "The procedure that it is part of."),
        by("encounter", &["encounter", "identifier", "value"], Id, "The encounter."),
        by("context_episode_id", &["context_episode_id"], Id, "The episode of the encounter."),
        by("origin_episode_id", &["origin_episode_id"], Id, "The episode of the device request."),
        by("device", &["details", "device", "identifier", "value"], Id, "A device that is dispensed."),
        by(
            "device_code",
            &["details", "device_code", "coding", "code"],
            Code,
            "The code of a dispensed device.",
        ),
    ]
};

impl SearchParameter {
    /// Looks up a parameter by its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SEARCH_PARAMETERS.iter().find(|parameter| parameter.name == name)
    }

    /// Parses a value; `None` when the text is no id, or an empty code.
    pub fn parse(&self, text: &str) -> Option<SearchValue> {
        match self.kind {
            SearchKind::Id => parse_uuid(text).ok().map(SearchValue::Id),
            SearchKind::Code => (!text.is_empty()).then(|| SearchValue::Code(text.to_owned())),
        }
    }
}

impl SearchValue {
    fn equals(&self, stored: &str) -> bool {
        match self {
            Self::Id(wanted) => parse_uuid(stored) == Ok(*wanted),
            Self::Code(wanted) => stored == wanted,
        }
    }
}

impl std::fmt::Display for SearchValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(wanted) => wanted.fmt(formatter),
            Self::Code(wanted) => formatter.write_str(wanted),
        }
    }
}

/// A search parameter with the value that a record must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The parameter.
    pub parameter: &'static SearchParameter,
    /// The value.
    pub value: SearchValue,
}

impl Search {
    /// Whether a record has the value.
    pub fn matches(&self, record: &Map<String, Value>) -> bool {
        match self.parameter.path {
            [first, rest @ ..] => record.get(*first).is_some_and(|value| holds(value, rest, &self.value)),
            [] => false,
        }
    }
}

/// Whether the wanted value is at the end of a path from this value.
fn holds(value: &Value, path: &[&str], wanted: &SearchValue) -> bool {
    match (value, path) {
        (Value::Array(items), _) => items.iter().any(|item| holds(item, path, wanted)),
        (Value::Object(fields), [first, rest @ ..]) => {
            fields.get(*first).is_some_and(|value| holds(value, rest, wanted))
        }
        (Value::String(text), []) => wanted.equals(text),
        _ => false,
    }
}

/// A range of times in milliseconds, the precision of dispenses. Both bounds are included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl TimeRange {
    /// Creates the range of the stored times that are neither before `from` nor after `to`; `None`: any.
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Self {
        Self { from: from.map(ceil_to_millis), to: to.map(to_millis) }
    }

    /// Returns the first and the last time, those that are not given being the ends of time; `None` when neither is given.
    pub fn bounds(self) -> Option<[Timestamp; 2]> {
        let bounds = [self.from.unwrap_or(Timestamp::MIN), self.to.unwrap_or(to_millis(Timestamp::MAX))];
        (self != Self::default()).then_some(bounds)
    }

    fn contains(self, time: Option<Timestamp>) -> bool {
        self.bounds().is_none_or(|[from, to]| time.is_some_and(|time| (from..=to).contains(&time)))
    }
}

/// Which dispenses are listed: those that meet all of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this legal entity; `None`: any.
    pub owner: Option<LegalEntityId>,
    /// About this patient; `None`: any.
    pub subject: Option<Pseudonym>,
    /// In this status, however it is spelled; `None`: any.
    pub status: Option<DispenseStatus>,
    /// Handed over then.
    pub when_handed_over: TimeRange,
    /// Recorded then.
    pub inserted_at: TimeRange,
    /// With these values.
    pub search: Vec<Search>,
}

impl Filter {
    /// Narrows the filter to the dispenses of a legal entity; `None` when it asks for those of another one.
    #[must_use]
    pub fn narrowed_to(self, owner: LegalEntityId) -> Option<Self> {
        let asks_for_another = self.owner.is_some_and(|asked| asked != owner);
        (!asks_for_another).then_some(Self { owner: Some(owner), ..self })
    }

    /// Whether a stored dispense meets the filter. What of it cannot be read, is `None` or no value of its type, meets no condition.
    pub fn matches(
        &self,
        owner: Option<LegalEntityId>,
        subject: Option<&Pseudonym>,
        record: &Map<String, Value>,
    ) -> bool {
        let text = |field: &str| record.get(field).and_then(Value::as_str);
        let time = |field: &str| text(field).and_then(|text| text.parse().ok());
        let status = || text(STATUS).and_then(|text| text.parse::<DispenseStatus>().ok());
        concerns((self.owner, self.subject.as_ref()), (owner, subject))
            && (self.status.is_none() || self.status == status())
            && self.when_handed_over.contains(time(WHEN_HANDED_OVER))
            && self.inserted_at.contains(time(INSERTED_AT))
            && self.search.iter().all(|search| search.matches(record))
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
