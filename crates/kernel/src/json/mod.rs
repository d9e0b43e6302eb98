//! Strict reading of JSON (feature `json`): an object that has a field twice, and a number that a 64-bit integer or a double would round, are errors
//! that say where, and never repeat the input. Bodies of requests, signed documents and lines of an import are read so.

mod error;
mod number;
mod one_pass;
mod strict;

pub use error::{JsonError, JsonErrorKind, is_field_name};
pub use number::number;
pub use strict::{read, read_reporting_numbers};
