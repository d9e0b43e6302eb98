//! Device dispenses: the documents, what is read of them, and transitions, alone and in batches.

pub(crate) mod batch;
pub(crate) mod commit;
mod import;
pub(crate) mod replay;
