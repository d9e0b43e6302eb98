//! What a field of a line is.

use esoz_device_dispense::FieldKind;

/// A field of a line's `data`, or of an object in it.
#[derive(Debug, Clone, Copy)]
pub struct LineField {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: LineFieldKind,
    /// Whether it can be left out.
    pub presence: LinePresence,
    /// What it means, in one sentence; empty where the name says it.
    pub meaning: &'static str,
}

/// Whether a field of a line can be left out, or be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinePresence {
    /// It must be there.
    Required,
    /// It can be left out.
    Optional,
    /// Either it or this other field must be there, and not both.
    Or(&'static str),
}

/// What a field of a line holds.
#[derive(Debug, Clone, Copy)]
pub enum LineFieldKind {
    /// A UUID, in either case.
    Uuid,
    /// A list of UUIDs.
    Uuids,
    /// Text that is not empty.
    Text,
    /// True or false.
    Boolean,
    /// A number.
    Number,
    /// A day, `YYYY-MM-DD`.
    Day,
    /// An instant, with its offset.
    Time,
    /// One of these words.
    Words(fn() -> Vec<&'static str>),
    /// An object with these fields.
    Object(&'static [LineField]),
    /// What the record of a dispense holds there.
    Dispense(FieldKind),
}

impl LineField {
    /// Creates a field that must be there.
    pub(super) const fn required(name: &'static str, kind: LineFieldKind, meaning: &'static str) -> Self {
        Self { name, kind, presence: LinePresence::Required, meaning }
    }

    /// Creates a field that can be left out.
    pub(super) const fn optional(name: &'static str, kind: LineFieldKind, meaning: &'static str) -> Self {
        Self { name, kind, presence: LinePresence::Optional, meaning }
    }

    /// Creates a field in the place of another.
    pub(super) const fn or(
        other: &'static str,
        name: &'static str,
        kind: LineFieldKind,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, presence: LinePresence::Or(other), meaning }
    }
}

/// The names of the fields.
pub(super) fn names(fields: &'static [LineField]) -> impl Iterator<Item = &'static str> {
    fields.iter().map(|field| field.name)
}
