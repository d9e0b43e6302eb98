//! Importing a file, beside the database's own way to take in the same rows.

use anyhow::Result;

use super::{Figure, Measured, Settings};
use crate::stage::{Order, Rows, Stage, Store};
use crate::stats::{Spread, float};

/// What is imported, and how much of the database's own speed is wanted.
struct Case {
    store: Store,
    rows: Rows,
    order: Order,
    /// The database's own way.
    by: &'static str,
    at_least: f64,
}

impl Case {
    const fn new(store: Store, rows: Rows, order: Order, at_least: f64) -> Self {
        let by = match store {
            Store::Sqlite => "one transaction",
            Store::Postgres => "COPY",
            Store::Mongodb => "insertMany",
        };
        Self { store, rows, order, by, at_least }
    }

    fn words(&self) -> String {
        let what = match (self.rows, self.order) {
            (Rows::Dispenses, _) => "dispenses",
            (Rows::Contracts, Order::Sorted) => "contracts with divisions, sorted",
            (Rows::Contracts, Order::Interleaved) => "contracts with divisions, interleaved",
        };
        format!("import into {}, {what}", self.store.name())
    }
}

const CASES: [Case; 6] = [
    Case::new(Store::Sqlite, Rows::Dispenses, Order::Sorted, 0.8),
    Case::new(Store::Mongodb, Rows::Dispenses, Order::Sorted, 0.7),
    Case::new(Store::Sqlite, Rows::Contracts, Order::Sorted, 0.4),
    Case::new(Store::Sqlite, Rows::Contracts, Order::Interleaved, 0.4),
    Case::new(Store::Postgres, Rows::Contracts, Order::Sorted, 0.3),
    Case::new(Store::Postgres, Rows::Contracts, Order::Interleaved, 0.3),
];

/// The same whatever the size of the file.
const AT_MOST_MIB: f64 = 64.0;

pub(super) fn measure(
    store: Store,
    settings: &Settings,
    measured: &mut Measured,
    tell: &dyn Fn(&str),
) -> Result<()> {
    for case in CASES.iter().filter(|case| case.store == store) {
        let (mut imported, mut in_bulk, mut ratios, mut peak_kib) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for round in 1..=settings.rounds {
            let [one, other] = [(); 2].map(|()| Stage::new(case.store, &settings.program, &settings.venue));
            let (one, other) = (one?, other?);
            let file = one.write_lines(case.rows, case.order, settings.records)?;
            let import = one.import(&file)?;
            let bulk = other.take_in_bulk(case.store, &one, case.rows)?;
            let per_second = |seconds: f64| float(settings.records) / seconds;
            let [import_rate, bulk_rate] = [import.time, bulk].map(|time| per_second(time.as_secs_f64()));
            tell(&format!(
                "round {round}: {}: {import_rate:.0}/s, {} {bulk_rate:.0}/s",
                case.words(),
                case.by
            ));
            imported.push(import_rate);
            in_bulk.push(bulk_rate);
            ratios.push(import_rate / bulk_rate);
            peak_kib = peak_kib.max(import.peak_kib);
        }
        let words = case.words();
        let figure = |what: String, values, unit| Spread::of(values).map(|of| Figure::of(what, of, unit));
        measured.figures.extend(figure(words.clone(), imported, "a second"));
        measured.figures.extend(figure(format!("{words}, the rows by {}", case.by), in_bulk, "a second"));
        let ratio = figure(format!("{words}, to {}", case.by), ratios, "times");
        measured.figures.extend(ratio.map(|ratio| ratio.at_least(case.at_least)));
        let most = format!("most memory, {words}, {} lines", settings.records);
        measured.figures.push(Figure::new(most, float(peak_kib) / 1_024.0, "MiB").at_most(AT_MOST_MIB));
    }
    measured.notes.push(format!(
        "Files imported into {} have {} lines. The same rows are read from the store that they were imported into, and brought into another \
         one with the same triggers and keys: reading them does not count, waiting for the disk does.",
        store.name(),
        settings.records
    ));
    Ok(())
}
