//! The published description, OpenAPI 3.1: generated from the routes, the shapes they use, and the answers they give.

mod answers;
mod components;
mod dispense;
pub(crate) mod document;
mod envelopes;
pub(crate) mod example;
pub(crate) mod formats;
pub(crate) mod parameters;

pub(crate) use answers::{Answers, Responses, request_id_header, response};
