use std::borrow::Cow;

/// The faults of one rule, told together: each with the entry that it is about, and its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(Vec<(String, Cow<'static, str>)>);

impl Faults {
    /// The fault of a field of the first detail, as an example.
    pub(super) fn at(field: &str, text: &'static str) -> Self {
        Self(vec![fault(0, field, text)])
    }

    /// Every fault of one field of a rule, each of a detail of its own, as an example.
    pub(super) fn of(field: &str, texts: impl IntoIterator<Item = Cow<'static, str>>) -> Self {
        Self(texts.into_iter().enumerate().map(|(detail, text)| fault(detail, field, text)).collect())
    }

    /// One fault.
    pub(crate) fn one(entry: impl Into<String>, text: &'static str) -> Self {
        Self(vec![(entry.into(), text.into())])
    }

    /// Adds a fault.
    pub(crate) fn push(&mut self, entry: String, text: &'static str) {
        self.0.push((entry, text.into()));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns each fault: the entry that it is about, and its text.
    pub fn list(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(entry, text)| (entry.clone(), text.clone().into_owned())).collect()
    }
}

/// A fault: the entry that it is about, and its text.
pub(super) type Fault = (String, Cow<'static, str>);

/// The fault of a field of a detail.
pub(super) fn fault(detail: usize, field: &str, text: impl Into<Cow<'static, str>>) -> Fault {
    (format!("$.details[{detail}].{field}"), text.into())
}

/// Applies one rule to every detail: refuses with all faults, if there are any.
pub(super) fn each<T, R>(
    details: &[T],
    refusal: fn(Faults) -> R,
    rule: impl Fn(usize, &T) -> Vec<Fault>,
) -> Result<(), R> {
    let faults: Vec<Fault> =
        details.iter().enumerate().flat_map(|(place, detail)| rule(place, detail)).collect();
    if faults.is_empty() { Ok(()) } else { Err(refusal(Faults(faults))) }
}
