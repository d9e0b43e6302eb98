/// The headers by which a request announces a body, in lower case.
const BODY_HEADERS: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

/// Finds the ends of heads in a stream of bytes, as leniently as the parser: lines may end without a carriage return. It does not know where
/// bodies are, and takes an empty line in one for the end of a head.
pub(super) struct Heads {
    /// Whether nothing but carriage returns came since the last line feed.
    after_line: bool,
    /// How many bytes of the line came.
    column: usize,
    /// Which of the headers the line may be.
    may_be: [bool; 2],
    /// Whether a line of the head is one of them.
    has_body: bool,
}

impl Heads {
    pub(super) fn new() -> Self {
        Self { after_line: false, column: 0, may_be: [true; 2], has_body: false }
    }

    /// Whether that byte, if it comes next, ends a head.
    pub(super) fn ends_with(&self, byte: u8) -> bool {
        byte == b'\n' && self.after_line
    }

    /// Whether the head announces a body.
    pub(super) fn has_body(&self) -> bool {
        self.has_body
    }

    /// Goes on by one byte.
    pub(super) fn advance(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                let has_body = self.has_body && !self.after_line;
                *self = Self { after_line: true, has_body, ..Self::new() };
            }
            b'\r' => {}
            _ => {
                self.after_line = false;
                if self.may_be.contains(&true) {
                    for (may_be, header) in self.may_be.iter_mut().zip(BODY_HEADERS) {
                        *may_be &= header.get(self.column) == Some(&byte.to_ascii_lowercase());
                        self.has_body |= *may_be && self.column.saturating_add(1) == header.len();
                    }
                    self.column = self.column.saturating_add(1);
                }
            }
        }
    }
}
