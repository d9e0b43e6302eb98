//! Strict reading of JSON with errors that never contain the input.

mod decode;
mod number;
mod one_pass;
mod strict;

pub(crate) use decode::{
    DecodeError, array, boolean, check_storable, day, number, object, optional, parsed, refuse_unknown,
    required, string, text, time,
};
pub(crate) use strict::read;
