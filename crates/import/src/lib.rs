#![doc = include_str!("../README.md")]

mod batch;
mod dry_run;
mod error;
mod exporter;
mod importer;
mod input;
mod json;
mod limits;
mod lines;
mod outcome;
mod ports;
mod reader;
mod record;
mod report;
mod suggestion;

pub use error::{ImportError, LineError};
pub use exporter::{ExportCounts, ExportError, ExportProgress, ExportTotals, Exporter};
pub use importer::Importer;
pub use limits::ImportLimits;
pub use lines::{
    EXAMPLES, JsonRecord, LineField, LineFieldKind, LinePresence, STAMP_FIELDS, line_fields, parse_line,
    patient_fields,
};
pub use ports::ImportPorts;
pub use record::{ImportContext, PseudonymousLines, Record, RecordKind, SYSTEM_USER, UnknownFields};
pub use report::{BadLine, Counts, Progress, Report, Totals};
pub use suggestion::suggestion;
