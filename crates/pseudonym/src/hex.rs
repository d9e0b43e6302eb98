//! The text form that both schemes share.

const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];

/// Upper-case hex, as ESOZ stores pseudonyms.
pub(crate) fn upper(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).filter_map(digit).collect()
}

/// The digit for a half byte.
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
