//! Strict JSON deserialization with errors that never contain the input.

mod decode;
mod fields;
mod strict;

pub(crate) use decode::{DecodeError, array, decode, object};
pub(crate) use fields::{Day, Parsed, Text, Time, check_storable};
pub(crate) use strict::read;
