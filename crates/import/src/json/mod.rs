//! Strict reading of JSON with errors that never contain the input.

mod decode;
mod fields;
mod strict;

pub(crate) use decode::{
    DecodeError, array, boolean, number, object, optional, refuse_unknown, required, string,
};
pub(crate) use fields::{check_storable, day, parsed, text, time};
pub(crate) use strict::read;
