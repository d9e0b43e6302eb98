//! One file per use case: input, error, `execute`.

pub(crate) mod update;
