use std::io::{self, BufRead, Read as _};

/// One line of the input.
pub(crate) enum InputLine<'a> {
    /// The bytes of the line, without its end.
    Whole(&'a [u8]),
    /// The line exceeds the limit; it was skipped without being kept.
    TooLong,
}

/// The reason for refusing a line that is too long.
pub(crate) fn too_long(max_line_bytes: usize) -> String {
    format!(
        "has more than {max_line_bytes} bytes, the most that are taken; raise --max-line-bytes to take it"
    )
}

/// Splits an input into lines of bounded length.
pub(crate) struct InputLines<R> {
    input: R,
    max_line_bytes: usize,
    line: Vec<u8>,
    lines: u64,
    bytes: u64,
}

impl<R: BufRead> InputLines<R> {
    pub(crate) fn new(input: R, max_line_bytes: usize) -> Self {
        Self { input, max_line_bytes, line: Vec::new(), lines: 0, bytes: 0 }
    }

    /// The number of lines read, which is the number of the last one.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// The number of bytes read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the next line; `None` at the end. The last line needs no line feed.
    pub(crate) fn next(&mut self) -> io::Result<Option<InputLine<'_>>> {
        self.line.clear();
        // One byte more than a line has: its end, or the sign that it is too long.
        let most = u64::try_from(self.max_line_bytes).unwrap_or(u64::MAX).saturating_add(1);
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        let is_ended = self.line.pop_if(|byte| *byte == b'\n').is_some();
        let fits = self.line.len() <= self.max_line_bytes;
        let skipped = if is_ended || fits { 0 } else { self.input.skip_until(b'\n')? };
        self.lines = self.lines.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(read + skipped).unwrap_or(u64::MAX));
        Ok(Some(if fits { InputLine::Whole(&self.line) } else { InputLine::TooLong }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    /// What stands for a line that is too long.
    const TOO_LONG: &str = "(too long)";

    /// All lines of the input, read through a buffer of that many bytes.
    fn lines(input: &str, max_line_bytes: usize, buffer_bytes: usize) -> Vec<String> {
        let reader = BufReader::with_capacity(buffer_bytes, input.as_bytes());
        let mut lines = InputLines::new(reader, max_line_bytes);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                InputLine::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                InputLine::TooLong => TOO_LONG.to_owned(),
            });
        }
        assert_eq!(lines.lines(), u64::try_from(found.len()).unwrap());
        assert_eq!(lines.bytes(), u64::try_from(input.len()).unwrap());
        found
    }

    #[test]
    fn lines_come_one_by_one_whatever_the_buffer() {
        for buffer_bytes in 1..12 {
            assert!(lines("", 9, buffer_bytes).is_empty());
            assert_eq!(lines("\n", 9, buffer_bytes), [""]);
            assert_eq!(lines("one", 9, buffer_bytes), ["one"]);
            assert_eq!(lines("one\ntwo\n\nthree", 9, buffer_bytes), ["one", "two", "", "three"]);
            assert_eq!(lines("one\r\n", 9, buffer_bytes), ["one\r"]);
        }
    }

    #[test]
    fn a_line_over_the_limit_is_read_over_and_not_kept() {
        for buffer_bytes in 1..12 {
            let found = lines("1234\n12345\n1234567890123\n1", 4, buffer_bytes);
            assert_eq!(found, ["1234", TOO_LONG, TOO_LONG, "1"], "{buffer_bytes}");
        }
        let long = std::io::repeat(b'x').take(1 << 20);
        let mut lines = InputLines::new(BufReader::new(long), 1_024);
        assert!(matches!(lines.next().unwrap(), Some(InputLine::TooLong)));
        assert!(lines.line.capacity() < 1 << 16, "{} bytes kept", lines.line.capacity());
    }
}
