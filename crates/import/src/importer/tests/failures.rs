//! A store that fails, and an input that breaks, stop a run and are named.

use std::io::{BufReader, Read};

use super::*;

#[test]
fn a_store_that_fails_stops_it_and_the_lines_reached_are_named() {
    let kind = RecordKind::ContractDivision;
    let stored = Arc::default();
    let all = lines(kind, 10..20);
    let limits = ImportLimits { max_batch_records: 3, ..limits() };
    let (result, reported) = load(ports_failing_at(&stored, 3), limits, &all);
    let error = result.unwrap_err();
    assert!(
        matches!(
            &error,
            ImportError::Store { first_line: 7, last_line: 9, source } if source.kind() == StoreErrorKind::Unavailable
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the store failed with lines 7 to 9, which may or may not have been taken; nothing after them was: load the same input \
         again once the store is well"
    );
    assert_eq!(reported.iter().map(|(lines, ..)| *lines).collect::<Vec<_>>(), [3, 6]);
    let report = load(ports(&stored), limits, &all).0.unwrap();
    assert_eq!(report.totals[&kind], counts(4, 0, 6), "loading again finishes it");
}

#[test]
fn a_store_with_too_few_answers_is_a_store_that_fails() {
    let mut contracts = MockContractRegistry::new();
    contracts.expect_put_contract_divisions().returning(|_| Ok(vec![Put::Created]));
    let ports = ImportPorts { contracts: Arc::new(contracts), ..ports(&Arc::default()) };
    let error = load(ports, limits(), &lines(RecordKind::ContractDivision, 10..12)).0.unwrap_err();
    let ImportError::Store { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(
        (source.kind(), source.to_string().as_str()),
        (StoreErrorKind::Unexpected, "the store failed while loading: it gave 1 answers for 2 records")
    );
}

/// Good for one line, and then broken.
struct Breaking(Option<Vec<u8>>);

impl Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.0.take().ok_or_else(|| io::Error::other("the disk is gone"))?;
        buffer[..line.len()].copy_from_slice(&line);
        Ok(line.len())
    }
}

#[test]
fn an_input_that_breaks_stops_it_and_the_line_is_named() {
    let line = format!("{}\n", line(RecordKind::LegalEntity, 10)).into_bytes();
    let importer = Importer::new(ports(&Arc::default()), limits());
    let result = block_on(importer.run(BufReader::new(Breaking(Some(line))), |_| {}));
    let error = result.unwrap_err();
    assert!(matches!(error, ImportError::Read { line: 2, .. }), "{error:?}");
}
