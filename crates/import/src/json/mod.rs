//! Reading JSON so that nothing is guessed and no error repeats what was read.

mod decode;
mod fields;
mod strict;

pub(crate) use decode::{Fault, decode, decode_known};
pub(crate) use fields::{Carried, Day, Given, Parsed, Text, Time, check_storable};
pub(crate) use strict::read;
