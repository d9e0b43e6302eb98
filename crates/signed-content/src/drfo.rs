use std::fmt;

use esoz_kernel::failure;

/// A taxpayer number (DRFO), or the series and number of a passport in its place: without blanks, in upper case, Cyrillic letters replaced by Latin
/// ones, so that equal numbers are equal however they are written. Never empty. Hidden from `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Drfo(String);

esoz_kernel::opaque_debug!(Drfo);

impl Drfo {
    /// Reads a number as it is written in a certificate or in a register; `None` when nothing but blanks is there.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.chars().filter(|char| !is_blank(*char)).flat_map(char::to_uppercase);
        let normalized: String = letters.map(latin).collect();
        (!normalized.is_empty()).then_some(Self(normalized))
    }

    /// Returns the normalized text, to compute a digest of it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The keyed digest of a [`Drfo`]: what a register stores in the place of the number (`tax_id`). Hidden from `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct DrfoDigest(String);

impl DrfoDigest {
    /// Wraps a computed digest.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads a digest as a store or an export has it; `None` when the text is not 64 digits of lower-case hex.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 64 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// Returns the text, to store it and to compare with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DrfoDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DrfoDigest(…)")
    }
}

/// Computes keyed digests of taxpayer numbers.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
pub trait DrfoDigests: Send + Sync {
    /// Returns the digest of the number, always the same for the same number.
    fn of(&self, drfo: &Drfo) -> DrfoDigest;
}

failure! {
    /// The signer is not the user (rules K04 and E07).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SignerMismatch {
        /// The signer's DRFO is absent, or not that of the user's party.
        Drfo => Invalid, "drfo_mismatch", "Does not match the signer drfo", at "$.signed_data";
    }
}

/// Decides whether the signer is the user: the number in the certificate is that of the user's party. Absent on either side never matches.
///
/// # Errors
/// [`SignerMismatch`]
pub fn require_signer(
    signer: Option<&Drfo>,
    party: Option<&DrfoDigest>,
    digests: &dyn DrfoDigests,
) -> Result<(), SignerMismatch> {
    let digest = signer.map(|drfo| digests.of(drfo));
    (digest.is_some() && digest.as_ref() == party).then_some(()).ok_or(SignerMismatch::Drfo)
}

/// Blanks of any kind, and what is invisible beside them in registers that people fill.
fn is_blank(char: char) -> bool {
    char.is_whitespace() || matches!(char, '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}

/// Replaces a Cyrillic letter of a passport's series by the Latin one that looks like it. The other letters have no look-alike and stay: two
/// series must not become one.
const fn latin(char: char) -> char {
    match char {
        'А' => 'A',
        'В' => 'B',
        'Е' => 'E',
        'І' => 'I',
        'К' => 'K',
        'М' => 'M',
        'Н' => 'H',
        'О' => 'O',
        'Р' => 'P',
        'С' => 'C',
        'Т' => 'T',
        'У' => 'Y',
        'Х' => 'X',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A digest that only a test would use: the number itself.
    struct Plain;

    impl DrfoDigests for Plain {
        fn of(&self, drfo: &Drfo) -> DrfoDigest {
            DrfoDigest::new(drfo.expose())
        }
    }

    fn matches(signer: &str, party: &str) -> bool {
        let party = Drfo::parse(party).map(|drfo| Plain.of(&drfo));
        require_signer(Drfo::parse(signer).as_ref(), party.as_ref(), &Plain).is_ok()
    }

    #[test]
    fn given_another_spelling_then_it_is_the_same_number() {
        for (signer, party) in [
            ("1234567890", "1234567890"),
            (" 12345 67890\t", "1234567890"),
            ("12345\u{A0}67890\u{FEFF}", "1234567890"),
            ("ab123456", "AB123456"),
            ("АВ 123456", "AB123456"),
            ("ав123456", "ab 123456"),
            ("ЮЯ123456", "юя123456"),
        ] {
            assert!(matches(signer, party), "{signer} {party}");
        }
    }

    #[test]
    fn given_another_number_or_none_on_either_side_then_it_never_matches() {
        for (signer, party) in [
            ("1234567890", "1234567891"),
            ("", ""),
            (" ", "\u{FEFF}"),
            ("1234567890", ""),
            ("", "1234567890"),
            ("ГЖ1", "ГЗ1"),
        ] {
            assert!(!matches(signer, party), "{signer} {party}");
        }
    }

    #[test]
    fn a_number_and_its_digest_are_hidden_from_debug() {
        let drfo = Drfo::parse("1234567890").unwrap();
        assert_eq!(format!("{drfo:?} {:?}", Plain.of(&drfo)), "Drfo(…) DrfoDigest(…)");
    }

    #[test]
    fn a_digest_is_64_digits_of_lower_case_hex() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(DrfoDigest::parse(&digest), Some(DrfoDigest::new(&digest)));
        for text in ["", "1234567890", &digest[1..], &digest.to_uppercase(), &format!("{}g", &digest[1..])] {
            assert_eq!(DrfoDigest::parse(text), None, "{text}");
        }
    }
}
