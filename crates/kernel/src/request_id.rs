use std::fmt;

/// A request id: correlates an answer with its log lines, its audit row and its event.
///
/// 20 to 200 visible ASCII characters (conventions, "Envelope").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// The minimum length, in characters.
    pub const MIN_CHARS: usize = 20;
    /// The maximum length, in characters.
    pub const MAX_CHARS: usize = 200;

    /// Parses a request id; `None` when it is malformed, and the caller makes a fresh one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (Self::MIN_CHARS..=Self::MAX_CHARS).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// Creates a request id from a fresh UUID.
    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.to_string())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_20_to_200_visible_ascii_characters_make_a_request_id() {
        assert!(RequestId::parse(&"a".repeat(20)).is_some());
        assert!(RequestId::parse(&"~".repeat(200)).is_some());
        for bad in [
            "a".repeat(19),
            "a".repeat(201),
            format!("{} ", "a".repeat(20)),
            format!("{}\u{7}", "a".repeat(20)),
        ] {
            assert_eq!(RequestId::parse(&bad), None, "{bad:?}");
        }
    }
}
