//! Strict reading of JSON with errors that never contain the input.

mod decode;
mod number;
mod one_pass;
mod strict;

pub(crate) use decode::{
    DecodeError, array_mut, boolean, check_storable, check_storable_field, day, number, object, object_mut,
    optional, parsed, refuse_unknown, required, string, text, time,
};
pub(crate) use strict::read;
