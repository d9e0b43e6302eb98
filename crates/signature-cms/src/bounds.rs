//! Bounds what a container may make a parser do, before it is parsed.

use crate::reason;

/// The nesting of a container with certificates, their extensions and a timestamp is about 15.
const MAX_DEPTH: usize = 40;

/// Parsing sorts each SET in quadratic time.
const MAX_SET_ELEMENTS: u32 = 64;

/// Elements of any kind, at all depths.
const MAX_ELEMENTS: u32 = 50_000;

const CONSTRUCTED: u8 = 0x20;
const CONTEXT_SPECIFIC: u8 = 0x80;
const SET: u8 = 0x31;
const TAG_NUMBER: u8 = 0x1F;
const CLASS: u8 = 0xC0;
const INDEFINITE: u8 = 0x80;

/// An element whose children are being read.
struct Open {
    end: usize,
    is_set: bool,
    children: u32,
}

/// Checks that the bytes are one element with few enough others in it, and none too deep, to be parsed. What is inside a primitive one is not looked at.
///
/// # Errors
/// [`reason::TOO_COMPLEX`], [`reason::NOT_A_CONTAINER`]
pub(crate) fn require_moderate(bytes: &[u8]) -> Result<(), &'static str> {
    let mut open = vec![Open { end: bytes.len(), is_set: false, children: 0 }];
    let mut position = 0;
    for _ in 0..MAX_ELEMENTS {
        while open.last().is_some_and(|element| element.end == position) {
            open.pop();
        }
        let depth = open.len();
        let Some(parent) = open.last_mut() else { return Ok(()) };
        let (tag, start, end) = header(bytes, position).ok_or(reason::NOT_A_CONTAINER)?;
        parent.children += 1;
        // An element that ended behind its parent would hide what follows the parent.
        if end > parent.end || (depth == 1 && end != parent.end) {
            return Err(reason::NOT_A_CONTAINER);
        }
        if depth > MAX_DEPTH || (parent.is_set && parent.children > MAX_SET_ELEMENTS) {
            return Err(reason::TOO_COMPLEX);
        }
        position = end;
        if tag & CONSTRUCTED != 0 {
            // A set may hide behind an implicit tag.
            let is_set = tag == SET || tag & CLASS == CONTEXT_SPECIFIC;
            open.push(Open { end, is_set, children: 0 });
            position = start;
        }
    }
    Err(reason::TOO_COMPLEX)
}

/// The tag of the element at that position, and where its value begins and ends. Tags of several bytes and indefinite lengths are none of DER as it is
/// parsed here.
fn header(bytes: &[u8], position: usize) -> Option<(u8, usize, usize)> {
    let tag = *bytes.get(position)?;
    let first = *bytes.get(position.checked_add(1)?)?;
    let start = position.checked_add(2)?;
    if tag & TAG_NUMBER == TAG_NUMBER || first == INDEFINITE {
        return None;
    }
    if first < INDEFINITE {
        return Some((tag, start, start.checked_add(first.into())?));
    }
    let value = start.checked_add(usize::from(first - INDEFINITE))?;
    let digits = bytes.get(start..value)?;
    let length =
        digits.iter().try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add((*digit).into()))?;
    Some((tag, value, value.checked_add(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOO_COMPLEX: Result<(), &str> = Err(reason::TOO_COMPLEX);
    const MALFORMED: Result<(), &str> = Err(reason::NOT_A_CONTAINER);

    fn element(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap();
        [&[tag, 0x84], length.to_be_bytes().as_slice(), value].concat()
    }

    #[test]
    fn many_elements_of_a_set_are_refused_but_not_of_a_sequence() {
        let elements = |count| [0x05, 0x00].repeat(count);
        for tag in [SET, 0xA0, 0xA1] {
            assert_eq!(require_moderate(&element(tag, &elements(64))), Ok(()), "{tag:x}");
            assert_eq!(require_moderate(&element(tag, &elements(65))), TOO_COMPLEX, "{tag:x}");
        }
        assert_eq!(require_moderate(&element(0x30, &elements(40_000))), Ok(()));
        assert_eq!(require_moderate(&element(0x30, &elements(50_000))), TOO_COMPLEX);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let nested = |depth: usize| (0..depth).fold(Vec::new(), |inner, _| element(0x30, &inner));
        assert_eq!(require_moderate(&nested(40)), Ok(()));
        assert_eq!(require_moderate(&nested(41)), TOO_COMPLEX);
    }

    #[test]
    fn an_element_that_ends_behind_its_parent_hides_nothing() {
        let many = element(SET, &[0x05, 0x00].repeat(1_000));
        // A sequence whose only element claims to reach to the end.
        let mut hiding = vec![0x30, 6, 0x04, 0x84];
        hiding.extend(u32::try_from(many.len()).unwrap().to_be_bytes());
        assert_eq!(require_moderate(&element(0x30, &[hiding, many].concat())), MALFORMED);
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [
            b"\x30".as_slice(),
            b"\x30\x84\xff",
            b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x30\xff",
            b"{}",
            b"\x30\x00\x30\x00",
            b"\x30\x80\x00\x00",
            b"\x3f\x81\x00\x00",
        ] {
            assert_eq!(require_moderate(bytes), MALFORMED, "{bytes:x?}");
        }
    }
}
