//! Bad lines are reported in order, and the others are loaded.

use super::*;

#[test]
fn bad_lines_are_reported_in_order_and_the_others_loaded() {
    let kind = RecordKind::ContractDivision;
    let stored = Arc::default();
    let all = vec![
        format!("\u{feff}{}", line(kind, 10)),
        "canary".to_owned(),
        line(kind, 666),
        String::new(),
        " \r".to_owned(),
        format!("{}\r", line(kind, 11)),
        line(kind, 12).replace("true", "1"),
        format!("\"{}\"", "x".repeat(2_000)),
        line(kind, 13),
    ];
    let (report, reported) = load(ports(&stored), ImportLimits { max_line_bytes: 1_000, ..limits() }, &all);
    let report = report.unwrap();
    let expected = [
        bad(2, "$: is not JSON (column 1)"),
        bad(3, "refers to what is not there"),
        bad(7, "$.data.is_active: is a number, expected a boolean"),
        bad(8, "has more than 1000 bytes, the most that are taken; raise --max-line-bytes to take it"),
    ];
    assert_eq!((report.lines, report.bad_lines), (9, 4));
    assert_eq!(report.listed_bad_lines, expected);
    assert_eq!(reported, [(9, 3, expected.to_vec())]);
    assert_eq!(report.totals[&kind], counts(3, 0, 0));
    assert_eq!(stored.lock().unwrap().batches, [(kind, 4)]);
}

#[test]
fn a_line_that_is_not_utf_8_is_a_bad_line() {
    let importer = Importer::new(ports(&Arc::default()), limits());
    let report = block_on(importer.run(&b"\xff\xfe\n"[..], |_| {})).unwrap();
    assert_eq!(report.listed_bad_lines, [bad(1, "is not UTF-8; a compressed file must be unpacked first")]);
}

#[test]
fn the_report_lists_so_many_bad_lines_and_progress_tells_all() {
    let limits = ImportLimits { max_batch_records: 4, max_listed_bad_lines: 6, ..limits() };
    let (report, reported) = load(ports(&Arc::default()), limits, &vec!["canary".to_owned(); 10]);
    let report = report.unwrap();
    assert_eq!((report.bad_lines, report.listed_bad_lines.len()), (10, 6));
    let numbers: Vec<Vec<u64>> =
        reported.iter().map(|(_, _, bad)| bad.iter().map(|bad| bad.line).collect()).collect();
    assert_eq!(numbers, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9, 10]]);
}

#[test]
fn a_dispense_that_the_store_cannot_hold_is_a_bad_line() {
    let stored = Arc::default();
    let all = lines(RecordKind::DeviceDispense, [10, UNENCODABLE, 11]);
    let (report, reported) = load(ports(&stored), limits(), &all);
    let refused = [bad(2, "is too large for the store")];
    assert_eq!(report.unwrap().listed_bad_lines, refused);
    assert_eq!(reported, [(3, 2, refused.to_vec())]);
    assert_eq!(stored.lock().unwrap().batches, [(RecordKind::DeviceDispense, 2)]);
}
