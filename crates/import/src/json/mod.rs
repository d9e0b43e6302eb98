//! Reads JSON values as types, with errors that never contain the input.

mod decode;

pub(crate) use decode::{
    DecodeError, array, array_mut, boolean, check_storable, check_storable_field, day, decimal, number,
    object, object_mut, optional, parsed, refuse_unknown, required, string, text, time,
};
