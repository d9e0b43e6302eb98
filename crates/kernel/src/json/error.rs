/// What is wrong with JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// It is no JSON.
    Syntax,
    /// An object has a field twice.
    Duplicate,
    /// A number would be rounded.
    Number,
    /// It is nested too deep.
    Depth,
}

/// Why JSON cannot be read, and where. Never repeats the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// The path of the value, e.g. `$.details[3]`; names that may be personal data are left out.
    pub path: String,
    /// The problem, in words.
    pub problem: String,
}

impl JsonError {
    pub(crate) fn new(kind: JsonErrorKind, path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { kind, path: path.into(), problem: problem.into() }
    }
}

/// Whether a name can be shown in an error: it looks like a field's name, not like an id or a person's name.
pub fn is_field_name(field: &str) -> bool {
    const MAX_BYTES: usize = 40;
    let is_field_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    !field.is_empty() && field.len() <= MAX_BYTES && field.bytes().all(is_field_name)
}
