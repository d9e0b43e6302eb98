//! Strict JSON deserialization with errors that never contain the input.

mod decode;
mod fields;
mod strict;

pub(crate) use decode::{Fault, decode, decode_known};
pub(crate) use fields::{Carried, Day, Given, Parsed, Text, Time, check_storable};
pub(crate) use strict::read;
