//! As much of HTTP/1.1 as the object store needs to talk to its one client.

use std::io::{self, BufRead, Read, Write};

/// The largest object that the broker may store. More is a mistake of the test.
const BODY_BYTES_MAX: u64 = 64 << 20;
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// A request that was read whole.
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, as sent.
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The next request; nothing when the client has closed the connection.
    pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut head = reader.by_ref().take(HEAD_BYTES_MAX);
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(bad("no request line"));
        };
        let (method, target) = (method.to_owned(), target.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if head.read_line(&mut line)? == 0 {
                return Err(bad("a head without end"));
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad("a header without colon"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { method, target, headers, body: Vec::new() };
        if request.header("transfer-encoding").is_some() {
            return Err(bad("a body in chunks is not understood"));
        }
        let length: u64 =
            request.header("content-length").unwrap_or("0").parse().map_err(|_| bad("content-length"))?;
        if length > BODY_BYTES_MAX {
            return Err(bad("the body is too large"));
        }
        let mut body = Vec::new();
        reader.take(length).read_to_end(&mut body)?;
        if u64::try_from(body.len()).is_ok_and(|read| read < length) {
            return Err(bad("a body cut short"));
        }
        request.body = body;
        Ok(Some(request))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
pub(super) struct Response {
    pub(super) status: u16,
    headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn of(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::of(status, Vec::new())
    }

    pub(super) fn xml(status: u16, text: String) -> Self {
        Self::of(status, text.into_bytes()).with("Content-Type", String::from("application/xml"))
    }

    /// S3's answer to what was not done.
    pub(super) fn error(status: u16, code: &str) -> Self {
        Self::xml(status, format!("<Error><Code>{code}</Code></Error>"))
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Writes it; to HEAD without the body, whose length is told all the same.
    pub(super) fn write(&self, stream: &mut impl Write, method: &str) -> io::Result<()> {
        // In one piece: a reason phrase is optional, so there is none.
        let mut bytes = Vec::with_capacity(self.body.len().saturating_add(256));
        write!(bytes, "HTTP/1.1 {} \r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(bytes, "{name}: {value}\r\n")?;
        }
        if self.status != 204 && self.status != 304 {
            write!(bytes, "Content-Length: {}\r\n", self.body.len())?;
        }
        bytes.extend(b"\r\n");
        if method != "HEAD" {
            bytes.extend(&self.body);
        }
        stream.write_all(&bytes)
    }
}

/// Text without its `%` escapes; nothing when they are broken.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_request_after_the_other() {
        let mut wire =
            &b"PUT /b/k HTTP/1.1\r\nContent-Length: 2\r\nIf-Match: \"1\"\r\n\r\nhiGET /b HTTP/1.1\r\n\r\n"[..];
        let put = Request::read(&mut wire).unwrap().unwrap();
        assert_eq!(
            (put.method.as_str(), put.target.as_str(), put.body.as_slice()),
            ("PUT", "/b/k", &b"hi"[..])
        );
        assert_eq!(put.header("if-match"), Some("\"1\""));
        assert_eq!(Request::read(&mut wire).unwrap().unwrap().method, "GET");
        assert!(Request::read(&mut wire).unwrap().is_none());
        assert!(Request::read(&mut &b"PUT /b/k HTTP/1.1\r\nContent-Length: 2\r\n\r\nh"[..]).is_err());
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(percent_decoded("a%2Fb%20c").as_deref(), Some("a/b c"));
        assert_eq!(percent_decoded("%2"), None);
        assert_eq!(percent_decoded("%ff"), None);
    }
}
