//! Reading JSON so that nothing is guessed and no error repeats what was read.

mod decode;
mod fields;
mod strict;

pub(crate) use decode::{Fault, decode};
pub(crate) use fields::{Carried, Day, Given, Parsed, Text, Time};
pub(crate) use strict::read;
