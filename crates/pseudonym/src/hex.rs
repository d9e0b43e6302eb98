//! Hexadecimal text, the form of both schemes.

const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];

/// Renders bytes as upper-case hex, as ESOZ stores pseudonyms.
pub(crate) fn upper(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).filter_map(digit).collect()
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
        }
        assert_eq!(upper(&[0x0f, 0xa0]), "0FA0");
    }
}
