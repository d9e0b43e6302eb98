//! Hexadecimal text, the form of both schemes.

const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];

/// Renders bytes as upper-case hex, as ESOZ stores pseudonyms.
pub(crate) fn upper(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).filter_map(digit).collect()
}

/// Parses upper-case hex; `None` when the text is anything else.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u8>> = text.chars().map(nibble).collect();
    let (pairs, rest) = nibbles.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn nibble(digit: char) -> Option<u8> {
    DIGITS.iter().position(|known| *known == digit).and_then(|value| u8::try_from(value).ok())
}

/// Returns the digit of a nibble.
fn digit(nibble: u8) -> Option<char> {
    DIGITS.get(usize::from(nibble)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_becomes_two_upper_case_digits() {
        for byte in 0..=u8::MAX {
            assert_eq!(upper(&[byte]), format!("{byte:02X}"));
            assert_eq!(bytes(&upper(&[byte])), Some(vec![byte]));
        }
        assert_eq!(upper(&[0x0f, 0xa0]), "0FA0");
        assert_eq!(bytes("0FA0"), Some(vec![0x0f, 0xa0]));
    }

    #[test]
    fn what_is_no_upper_case_hex_is_not_parsed() {
        for text in ["0", "0FA", "0f", "0G", " 0", "ї0", "+1"] {
            assert_eq!(bytes(text), None, "{text}");
        }
        assert_eq!(bytes(""), Some(Vec::new()));
    }
}
