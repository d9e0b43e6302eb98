use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// An answer of the server.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The verb of the request.
    pub method: Method,
    /// The HTTP status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, `null` when there was none.
    pub body: Value,
    /// The URL that was asked for, without the query.
    pub url: String,
}

impl Answer {
    /// The whole body of an error: what `meta` and `error` must hold, and nothing else.
    fn error(&self, code: u16, kind: &str, message: &str, invalid: Option<Value>) -> Value {
        let mut error = json!({"type": kind, "message": message});
        if let Some(invalid) = invalid {
            error["invalid"] = invalid;
        }
        json!({"meta": self.meta(code), "error": error})
    }

    fn meta(&self, code: u16) -> Value {
        json!({"code": code, "url": self.url, "type": "object", "request_id": self.request_id()})
    }

    /// The request id of the answer: the same in its header and in its body.
    ///
    /// # Panics
    /// When it is missing, not well-formed, or not the same.
    pub fn request_id(&self) -> &str {
        let in_header = self.headers["x-request-id"].to_str().unwrap();
        assert_eq!(self.body["meta"]["request_id"], in_header);
        assert!(
            in_header.len() >= 20 && in_header.bytes().all(|byte| byte.is_ascii_graphic()),
            "{in_header}"
        );
        in_header
    }

    /// Holds the answer against an error, body and all.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_error(&self, code: u16, kind: &str, message: &str) {
        self.assert_whole(code, &self.error(code, kind, message, None));
    }

    /// Holds the answer against an error that is about a property of the body.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_error_at(&self, code: u16, kind: &str, message: &str, entry: &str) {
        let invalid = json!([{
            "entry_type": "json_data_property",
            "entry": entry,
            "rules": [{"rule": "invalid", "description": message, "params": []}],
        }]);
        self.assert_whole(code, &self.error(code, kind, message, Some(invalid)));
    }

    /// Holds the answer against the refusal of a rule: `(entry, text)` for each fault that it found in the body.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_refused(&self, faults: &[(&str, &str)]) {
        let invalid = faults.iter().map(|(entry, text)| {
            json!({
                "entry_type": "json_data_property",
                "entry": entry,
                "rules": [{"rule": "invalid", "description": text, "params": []}],
            })
        });
        let invalid = Some(invalid.collect());
        self.assert_whole(422, &self.error(422, "validation_failed", "Validation failed.", invalid));
    }

    /// Holds the answer against a refusal of the body's shape: `(entry, rule)` for each fault. The descriptions are free.
    ///
    /// # Panics
    /// When it is another answer, or a description is missing.
    #[track_caller]
    pub fn assert_faults(&self, faults: &[(&str, &str)]) {
        self.assert_faults_of("json_data_property", faults);
    }

    /// The same of query parameters.
    ///
    /// # Panics
    /// When it is another answer, or a description is missing.
    #[track_caller]
    pub fn assert_query_faults(&self, faults: &[(&str, &str)]) {
        self.assert_faults_of("query_parameter", faults);
    }

    #[track_caller]
    fn assert_faults_of(&self, entry_type: &str, faults: &[(&str, &str)]) {
        let invalid = self.body["error"]["invalid"].as_array().expect("`invalid`");
        let found: Vec<Value> = invalid
            .iter()
            .map(|entry| {
                assert!(
                    entry["rules"][0]["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{entry}"
                );
                json!([
                    entry["entry_type"],
                    entry["entry"],
                    entry["rules"].as_array().unwrap().len(),
                    entry["rules"][0]["rule"]
                ])
            })
            .collect();
        let expected: Vec<Value> =
            faults.iter().map(|(entry, rule)| json!([entry_type, entry, 1, rule])).collect();
        assert_eq!(found, expected, "{:#}", self.body);
        self.assert_whole(
            422,
            &self.error(422, "validation_failed", "Validation failed.", Some(json!(invalid))),
        );
    }

    /// Holds the answer against a success with that data.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_data(&self, data: &Value) {
        self.assert_whole(200, &json!({"meta": self.meta(200), "data": data}));
    }

    /// Holds the answer against a success that created that data.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_created(&self, data: &Value) {
        self.assert_whole(201, &json!({"meta": self.meta(201), "data": data}));
    }

    /// Holds the answer against a page of a list.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_list(&self, data: &[Value], paging: &Value) {
        let mut meta = self.meta(200);
        meta["type"] = json!("list");
        self.assert_whole(200, &json!({"meta": meta, "data": data, "paging": paging}));
    }

    /// Holds the answer against a list that holds this alone and has no pages.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_list_of_one(&self, data: &Value) {
        let mut meta = self.meta(200);
        meta["type"] = json!("list");
        self.assert_whole(200, &json!({"meta": meta, "data": [data]}));
    }

    /// Holds the answer against one fault of the query, texts and all.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_query_fault(&self, message: &str, entry: &str, rule: &str, description: &str) {
        let invalid = json!([{
            "entry_type": "query_parameter",
            "entry": entry,
            "rules": [{"rule": rule, "description": description, "params": []}],
        }]);
        self.assert_whole(422, &self.error(422, "validation_failed", message, Some(invalid)));
    }

    /// What the answer says about proving who calls.
    pub fn challenge(&self) -> &str {
        self.headers["www-authenticate"].to_str().unwrap()
    }

    #[track_caller]
    fn assert_whole(&self, code: u16, body: &Value) {
        assert_eq!(self.body, *body, "the answer was {:#}", self.body);
        assert_eq!(self.status.as_u16(), code);
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["cache-control"], "no-store");
        assert_protected(&self.headers, "default-src 'none'; frame-ancestors 'none'");
    }

    /// The body without what differs between two requests for different things: url and request id.
    pub fn redacted(&self) -> Value {
        let mut body = self.body.clone();
        body["meta"]["url"] = Value::Null;
        body["meta"]["request_id"] = Value::Null;
        body
    }

    /// Holds the answer against a dispense that is not there, as seen by anybody who may not see it.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_not_found(&self) {
        self.assert_error(404, "not_found", "not_found");
    }

    /// Holds the answer against a token that is not valid.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_invalid_token(&self) {
        self.assert_error(401, "access_denied", "Invalid access token");
    }

    /// Holds the answer against a conflict.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_conflict(&self, message: &str) {
        self.assert_error(409, "request_conflict", message);
    }

    /// Holds the answer against a server that is down behind ours.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_unavailable(&self) {
        let message = "The service is temporarily unavailable. Please try again later.";
        self.assert_error(503, "service_unavailable", message);
        assert!(self.headers["retry-after"].to_str().unwrap().parse::<u32>().is_ok());
    }

    /// Holds the answer against a server that has too much to do.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_overloaded(&self) {
        let message = "The service has as many requests as it can carry at once. Please try again later.";
        self.assert_error(503, "service_unavailable", message);
        assert_eq!(self.headers["retry-after"], "1");
    }

    /// Holds the answer against something that is broken on the server's side.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn assert_internal(&self) {
        let message = "Something went wrong on the server. Its log tells more under the request id.";
        self.assert_error(500, "internal_error", message);
    }
}

/// Holds headers against those that every answer has, with that content security policy.
///
/// # Panics
/// When one is missing or another.
#[track_caller]
pub fn assert_protected(headers: &HeaderMap, content_security_policy: &str) {
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["x-frame-options"], "DENY");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(headers["content-security-policy"], content_security_policy);
}
