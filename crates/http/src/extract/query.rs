//! Query parameters of lists, whose faults are all reported at once (conventions, "Query parameters of lists").

use std::str::FromStr;

use actix_web::web;
use esoz_device_dispense::{Search, SearchKind, SearchParameter};
use esoz_kernel::{Failure, PageRequest, Timestamp};

use super::body::json_path;
use crate::envelope::{Fault, Invalid, not_in_enum};
use crate::error::ApiError;

fn no_uuid() -> Fault {
    ("format", "string does not match the format of a UUID".to_owned(), Vec::new())
}

/// The query parameters of a request. Each is read by its name; what is left at the end is unknown.
pub(crate) struct Query {
    parameters: Vec<(String, String)>,
    faults: Vec<Invalid>,
}

impl Query {
    /// Splits and decodes a query string.
    pub(crate) fn parse(query: &str) -> Self {
        let parameters = web::Query::<Vec<(String, String)>>::from_query(query);
        Self {
            parameters: parameters.map_or_else(|_| Vec::new(), web::Query::into_inner),
            faults: Vec::new(),
        }
    }

    /// A UUID.
    pub(crate) fn uuid<T: FromStr>(&mut self, name: &'static str) -> Option<T> {
        let text = self.text(name)?;
        self.checked(name, text.parse().map_err(|_| no_uuid()))
    }

    /// One of these values, or another spelling of one.
    pub(crate) fn one_of<T: FromStr>(&mut self, name: &'static str, values: &[&str]) -> Option<T> {
        let text = self.text(name)?;
        self.checked(name, text.parse().map_err(|_| not_in_enum(values)))
    }

    /// A time; one without an offset is in UTC.
    pub(crate) fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        let text = self.text(name)?;
        let description = "expected an ISO 8601 date and time, such as 2026-01-31T08:15:30Z";
        let fault = || ("datetime", description.to_owned(), Vec::new());
        self.checked(name, Timestamp::parse_or_utc(&text).map_err(|_| fault()))
    }

    /// The value of a search parameter.
    pub(crate) fn search(&mut self, parameter: &'static SearchParameter) -> Option<Search> {
        let text = self.text(parameter.name)?;
        let fault = || match parameter.kind {
            SearchKind::Id => no_uuid(),
            SearchKind::Code => ("format", "string must not be empty".to_owned(), Vec::new()),
        };
        let value = self.checked(parameter.name, parameter.parse(&text).ok_or_else(fault))?;
        Some(Search { parameter, value })
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let text = self.text(name)?;
        let fault = || ("cast", "type mismatch. Expected true or false".to_owned(), Vec::new());
        self.checked(name, text.parse().map_err(|_| fault()))
    }

    /// What a rule of the domain makes of parameters. Its refusal is a fault of the parameter that it is about, unless that one cannot be read.
    pub(crate) fn accepted<T, F: Failure>(&mut self, rule: &'static str, outcome: Result<T, F>) -> Option<T> {
        let refused = |failure: F| {
            let entry = failure.entry().unwrap_or_else(|| "$".to_owned());
            if self.faults.iter().all(|fault| fault.entry != entry) {
                self.faults.push(Invalid::query_parameter(entry, (rule, failure.to_string(), Vec::new())));
            }
        };
        outcome.map_err(refused).ok()
    }

    /// `page` and `page_size`.
    pub(crate) fn page(&mut self, max_size: u32) -> PageRequest {
        let number = self.number("page", PageRequest::MAX_NUMBER).unwrap_or(1);
        let size = self.number("page_size", max_size).unwrap_or(PageRequest::DEFAULT_SIZE);
        PageRequest::new(number, size).unwrap_or(PageRequest::FIRST)
    }

    /// A whole number from 1 to `max`.
    fn number(&mut self, name: &'static str, max: u32) -> Option<u32> {
        let text = self.text(name)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let number = if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Err(("cast", "type mismatch. Expected a whole number".to_owned(), Vec::new()))
        } else {
            // Whole numbers that do not fit are out of range as well.
            text.parse().ok().filter(|number| (1..=max).contains(number)).ok_or_else(|| {
                let description = format!("expected a number from 1 to {max}");
                ("number", description, vec!["1".to_owned(), max.to_string()])
            })
        };
        self.checked(name, number)
    }

    /// Refuses the request if a parameter that was read is at fault, or one was not read.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        let mut unknown: Vec<String> = self.parameters.iter().map(|(name, _)| json_path(name)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        let description = "schema does not allow additional parameters";
        let fault = |entry| Invalid::query_parameter(entry, ("schema", description.to_owned(), Vec::new()));
        self.faults.extend(unknown.into_iter().map(fault));
        if self.faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.faults)) }
    }

    /// The text of a parameter, which may be empty; `None` if it is not given, or more than once.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let mut given =
            self.parameters.extract_if(.., |(parameter, _)| parameter == name).map(|(_, text)| text);
        let (first, another) = (given.next(), given.next());
        given.for_each(drop);
        if another.is_some() {
            let fault = ("schema", "parameter is given more than once".to_owned(), Vec::new());
            return self.checked(name, Err(fault));
        }
        first
    }

    /// Keeps a fault.
    fn checked<T>(&mut self, name: &str, value: Result<T, Fault>) -> Option<T> {
        value.map_err(|fault| self.faults.push(Invalid::query_parameter(format!("$.{name}"), fault))).ok()
    }
}
