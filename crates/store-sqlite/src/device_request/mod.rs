//! Device requests: `row` maps, `query` reads and changes them and counts wrong codes, `import` loads.

mod import;
pub(crate) mod query;
mod row;

pub(crate) use row::RequestRow;
