//! Which lines share a batch, and what is reported of them.

use std::io::{BufRead, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn consecutive_lines_go_together_and_each_kind_to_its_store_in_the_order_of_kinds() {
    let stored = Arc::default();
    let all: Vec<String> = [
        lines(RecordKind::LegalEntity, 100..103),
        lines(RecordKind::Division, 200..202),
        lines(RecordKind::Contract, 300..301),
        lines(RecordKind::ContractDivision, 400..402),
        lines(RecordKind::DeviceDispense, 500..502),
        lines(RecordKind::DeviceRequest, 600..603),
        lines(RecordKind::LegalEntity, 103..104),
    ]
    .concat();
    let (report, reported) = load(ports(&stored), limits(), &all);
    let report = report.unwrap();
    assert_eq!((report.lines, report.bad_lines), (14, 0));
    let expected = [
        (RecordKind::LegalEntity, counts(4, 0, 0)),
        (RecordKind::Division, counts(2, 0, 0)),
        (RecordKind::Contract, counts(1, 0, 0)),
        (RecordKind::ContractDivision, counts(2, 0, 0)),
        (RecordKind::DeviceRequest, counts(3, 0, 0)),
        (RecordKind::DeviceDispense, counts(2, 0, 0)),
    ];
    assert_eq!(report.totals.into_iter().collect::<Vec<_>>(), expected);
    let batches = [
        (RecordKind::LegalEntity, 4),
        (RecordKind::Division, 2),
        (RecordKind::Contract, 1),
        (RecordKind::ContractDivision, 2),
        (RecordKind::DeviceRequest, 3),
        (RecordKind::DeviceDispense, 2),
    ];
    assert_eq!(stored.lock().unwrap().batches, batches);
    let progress: Vec<_> = reported.iter().map(|(lines, records, _)| (*lines, *records)).collect();
    assert_eq!(progress, [(14, 14)]);
}

#[test]
fn dispenses_are_stored_in_the_order_of_their_ids_and_reported_by_their_lines() {
    let stored = Arc::default();
    let all = [530, 510, 666, 520].map(|id| line(RecordKind::DeviceDispense, id));
    let (report, _) = load(ports(&stored), limits(), &all);
    let report = report.unwrap();
    let order: Vec<u128> = stored.lock().unwrap().order.iter().map(Uuid::as_u128).collect();
    assert_eq!(order, [510, 520, 530, 666]);
    let bad_lines: Vec<u64> = report.listed_bad_lines.iter().map(|bad| bad.line).collect();
    assert_eq!(bad_lines, [3]);
}

#[test]
fn interleaved_kinds_share_batches_and_are_reported_in_the_order_of_lines() {
    let stored = Arc::default();
    // Each record comes after those that it refers to; the store refuses every fourth line.
    let of_each = |id| [RecordKind::Division, RecordKind::ContractDivision].map(|kind| line(kind, id));
    let refused = [line(RecordKind::ContractDivision, 666), line(RecordKind::LegalEntity, 666)];
    let all: Vec<String> = (0..3).flat_map(|id| [of_each(10 + id), refused.clone()].concat()).collect();
    let limits = ImportLimits { max_batch_records: 8, ..limits() };
    let (report, reported) = load(ports(&stored), limits, &all);
    let batches = [
        (RecordKind::LegalEntity, 2),
        (RecordKind::Division, 2),
        (RecordKind::ContractDivision, 4),
        (RecordKind::LegalEntity, 1),
        (RecordKind::Division, 1),
        (RecordKind::ContractDivision, 2),
    ];
    assert_eq!(stored.lock().unwrap().batches, batches);
    let refusals = [3, 4, 7, 8, 11, 12].map(|line| bad(line, "refers to what is not there"));
    assert_eq!(reported, [(8, 4, refusals[..4].to_vec()), (12, 6, refusals[4..].to_vec())]);
    assert_eq!(report.unwrap().listed_bad_lines, refusals);
}

/// Counts the bytes that are taken from it.
struct Counted(Cursor<String>, Arc<AtomicUsize>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.1.fetch_add(bytes, Ordering::SeqCst);
        self.0.consume(bytes);
    }
}

#[test]
fn while_a_batch_is_stored_the_next_is_read_and_no_more() {
    const BATCHES: usize = 4;
    let all = lines(RecordKind::Division, 1_000..1_040);
    let batch_bytes = (all[0].len() + 1) * all.len() / BATCHES;
    let taken: Arc<AtomicUsize> = Arc::default();
    let (seen, stored) = (Arc::clone(&taken), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&stored);
    let mut contracts = MockContractRegistry::new();
    contracts.expect_put_divisions().returning(move |divisions| {
        let batch = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let next = batch_bytes * (batch + 1).min(BATCHES);
        let deadline = Instant::now() + Duration::from_secs(30);
        while seen.load(Ordering::SeqCst) < next {
            assert!(Instant::now() < deadline, "the batch after batch {batch} is not read");
            thread::yield_now();
        }
        assert_eq!(seen.load(Ordering::SeqCst), next, "more than the batch after batch {batch} is read");
        Ok(vec![Put::Created; divisions.len()])
    });
    let ports = ImportPorts { contracts: Arc::new(contracts), ..ports(&Arc::default()) };
    let importer = Importer::new(ports, ImportLimits { max_batch_records: all.len() / BATCHES, ..limits() });
    let input = Counted(Cursor::new(all.join("\n") + "\n"), taken);
    assert_eq!(block_on(importer.run(input, |_| {})).unwrap().lines, 40);
    assert_eq!(stored.load(Ordering::SeqCst), BATCHES);
}

#[test]
fn a_batch_has_its_most_records_and_about_its_most_bytes() {
    let all = lines(RecordKind::ContractDivision, 1_000..2_001);
    for (limits, expected) in [
        (ImportLimits { max_batch_records: 1_000, ..limits() }, vec![1_000, 1]),
        (ImportLimits { max_batch_bytes: 400 * all[0].len() - 1, ..limits() }, vec![400, 400, 201]),
        (ImportLimits { max_batch_records: 0, ..limits() }, vec![1; 1_001]),
    ] {
        let stored = Arc::default();
        let (report, _) = load(ports(&stored), limits, &all);
        assert_eq!(report.unwrap().totals[&RecordKind::ContractDivision], counts(1_001, 0, 0));
        let batches: Vec<usize> =
            stored.lock().unwrap().batches.iter().map(|(_, records)| *records).collect();
        assert_eq!(batches, expected);
    }
}

#[test]
fn the_same_lines_again_change_nothing_and_changed_ones_update_what_may_be_updated() {
    let stored = Arc::default();
    let all: Vec<String> = RecordKind::ALL.into_iter().zip(1..).map(|(kind, id)| line(kind, id)).collect();
    for expected in [counts(1, 0, 0), counts(0, 0, 1)] {
        let report = load(ports(&stored), limits(), &all).0.unwrap();
        for kind in RecordKind::ALL {
            assert_eq!(report.totals[&kind], expected, "{kind}");
        }
    }
    let changed: Vec<String> = all
        .iter()
        .map(|line| line.replacen(r#""data":{"#, r#""data":{"updated_at":"2026-02-01T00:00:00Z","#, 1))
        .collect();
    let report = load(ports(&stored), limits(), &changed).0.unwrap();
    for kind in RecordKind::ALL {
        let stays = matches!(kind, RecordKind::ContractDivision | RecordKind::DeviceDispense);
        assert_eq!(report.totals[&kind], if stays { counts(0, 0, 1) } else { counts(0, 1, 0) }, "{kind}");
    }
}

#[test]
fn an_empty_input_is_an_empty_report() {
    let (report, reported) = load(ports(&Arc::default()), limits(), &[]);
    assert_eq!(report.unwrap(), Report::default());
    assert_eq!(reported, [(0, 0, vec![])]);
}
