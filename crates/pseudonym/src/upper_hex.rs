//! Hexadecimal text, the form of both schemes.

/// Parses upper-case hex; `None` when the text is anything else.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    hex::decode(text).ok().filter(|bytes| hex::encode_upper(bytes) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_upper_case_digits() {
        for byte in 0..=u8::MAX {
            assert_eq!(bytes(&format!("{byte:02X}")), Some(vec![byte]));
        }
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
