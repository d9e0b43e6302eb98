use std::fmt;

/// A position in a distributed trace: the `traceparent` of W3C Trace Context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    is_sampled: bool,
}

/// The version that is written.
const VERSION: &str = "00";

/// The length of a `traceparent` of that version, in characters. Later versions are at least as long.
const CHARS: usize = 55;

impl TraceContext {
    /// The header of requests and messages that carries it.
    pub const HEADER: &str = "traceparent";

    /// Creates the position of a span in a trace; `None` when one of the two ids is zero, which is no id.
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> Option<Self> {
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, is_sampled })
    }

    /// Parses a `traceparent`; `None` when it is malformed. Of a later version the known part is read.
    pub fn parse(text: &str) -> Option<Self> {
        let (known, more) = text.split_at_checked(CHARS)?;
        let parts: Vec<&str> = known.split('-').collect();
        let [version, trace_id, span_id, flags] = parts.as_slice() else { return None };
        let is_version = hex(version, 2).is_some_and(|version| version != 0xff);
        let is_complete =
            if *version == VERSION { more.is_empty() } else { more.is_empty() || more.starts_with('-') };
        if !(is_version && is_complete) {
            return None;
        }
        let is_sampled = hex(flags, 2)? & 1 == 1;
        Self::new(hex(trace_id, 32)?, u64::try_from(hex(span_id, 16)?).ok()?, is_sampled)
    }

    /// Returns the id of the trace.
    pub const fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// Returns the id of the span.
    pub const fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether the caller samples the trace.
    pub const fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

/// Parses a number of exactly so many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hex && text.len() == digits).then(|| u128::from_str_radix(text, 16).ok())?
}

/// Renders a `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_id, span_id, is_sampled } = self;
        write!(formatter, "{VERSION}-{trace_id:032x}-{span_id:016x}-{:02x}", u8::from(*is_sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_comes_back_as_it_was() {
        let context = TraceContext::parse(GIVEN).unwrap();
        assert_eq!(context.trace_id(), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(context.span_id(), 0xb7ad_6b71_6920_3331);
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), GIVEN);
        let unsampled = GIVEN.replace("-01", "-00");
        assert_eq!(TraceContext::parse(&unsampled).unwrap().to_string(), unsampled);
    }

    #[test]
    fn of_flags_and_versions_what_is_known_is_taken() {
        let expected = TraceContext::parse(GIVEN);
        for later in
            [GIVEN.replace("-01", "-03"), GIVEN.replacen("00", "01", 1), format!("cc{}-more", &GIVEN[2..])]
        {
            assert_eq!(TraceContext::parse(&later), expected, "{later}");
        }
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for bad in [
            String::new(),
            GIVEN.to_uppercase(),
            format!("{GIVEN}-more"),
            format!(" {}", &GIVEN[1..]),
            format!("ff{}", &GIVEN[2..]),
            format!("01{}.", &GIVEN[2..]),
            GIVEN[..54].to_owned(),
            GIVEN.replace("-01", "-0x"),
            GIVEN.replace('-', "_"),
            GIVEN.replace("b7ad6b7169203331", "0000000000000000"),
            GIVEN.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            GIVEN.replace("0af7", "+af7"),
            "ї".repeat(CHARS),
        ] {
            assert_eq!(TraceContext::parse(&bad), None, "{bad:?}");
        }
    }
}
