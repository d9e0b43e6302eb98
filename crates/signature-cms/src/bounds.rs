//! Bounds what a container may make a parser do, before it is parsed.

/// The nesting of a container with certificates, their extensions and a timestamp is about 15.
const MAX_DEPTH: usize = 40;

/// Parsing sorts each SET in quadratic time.
const MAX_SET_ELEMENTS: u32 = 64;

/// Elements of any kind, at all depths.
const MAX_ELEMENTS: u32 = 50_000;

const CONSTRUCTED: u8 = 0x20;
const CONTEXT_SPECIFIC: u8 = 0x80;
const SET: u8 = 0x31;

/// An element whose children are being read.
struct Open {
    end: usize,
    is_set: bool,
    children: u32,
}

/// Whether the bytes have few enough elements, and none too deep, to be parsed. Bytes that are no DER are for the parser to refuse: reading ends
/// where they stop making sense.
pub(crate) fn are_moderate(bytes: &[u8]) -> bool {
    let mut open: Vec<Open> = Vec::new();
    let mut position = 0;
    for _ in 0..MAX_ELEMENTS {
        while open.last().is_some_and(|element| element.end <= position) {
            open.pop();
        }
        let Some((tag, start, end)) = header(bytes, position) else { return true };
        if let Some(parent) = open.last_mut() {
            parent.children += 1;
            if parent.is_set && parent.children > MAX_SET_ELEMENTS {
                return false;
            }
        }
        position = end;
        if tag & CONSTRUCTED != 0 {
            // A set may hide behind an implicit tag.
            let is_set = tag == SET || tag & 0xC0 == CONTEXT_SPECIFIC;
            open.push(Open { end, is_set, children: 0 });
            position = start;
        }
        if open.len() > MAX_DEPTH {
            return false;
        }
    }
    position >= bytes.len()
}

/// The tag of the element at that position, and where its value begins and ends.
fn header(bytes: &[u8], position: usize) -> Option<(u8, usize, usize)> {
    let tag = *bytes.get(position)?;
    let first = *bytes.get(position.checked_add(1)?)?;
    let start = position.checked_add(2)?;
    if first < 0x80 {
        return Some((tag, start, start.checked_add(first.into())?));
    }
    let value = start.checked_add(usize::from(first & 0x7F))?;
    let digits = bytes.get(start..value)?;
    let length =
        digits.iter().try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add((*digit).into()))?;
    Some((tag, value, value.checked_add(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap();
        [&[tag, 0x84], length.to_be_bytes().as_slice(), value].concat()
    }

    #[test]
    fn many_elements_of_a_set_are_refused_but_not_of_a_sequence() {
        let elements = |count| [0x05, 0x00].repeat(count);
        for tag in [SET, 0xA0, 0xA1] {
            assert!(are_moderate(&element(tag, &elements(64))), "{tag:x}");
            assert!(!are_moderate(&element(tag, &elements(65))), "{tag:x}");
        }
        assert!(are_moderate(&element(0x30, &elements(40_000))));
        assert!(!are_moderate(&element(0x30, &elements(50_000))));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let nested = |depth: usize| (0..depth).fold(Vec::new(), |inner, _| element(0x30, &inner));
        assert!(are_moderate(&nested(40)));
        assert!(!are_moderate(&nested(41)));
        assert!(!are_moderate(&[0x30, 0x80].repeat(100_000)), "indefinite lengths");
    }

    #[test]
    fn bytes_that_are_no_der_end_the_reading() {
        for bytes in
            [b"".as_slice(), b"\x30", b"\x30\x84\xff", b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff", b"{}"]
        {
            assert!(are_moderate(bytes), "{bytes:x?}");
        }
    }
}
