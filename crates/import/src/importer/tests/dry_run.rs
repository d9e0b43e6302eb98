//! A dry run tells what an import would, and stores nothing.

use super::*;

/// A scan of those records, in pages of one.
fn page_of<T: Clone>(all: &[T], after: Option<ScanCursor>) -> ScanPage<T> {
    let at = after.map_or(0, |cursor| usize::from(cursor.id()[0]));
    let next = (at + 1 < all.len()).then(|| ScanCursor::new([u8::try_from(at + 1).unwrap()]));
    ScanPage { records: all.get(at).cloned().map(Ok).into_iter().collect(), next }
}

/// Ports on stores that have two legal entities, and refuse every write.
fn read_only_ports(scans: &Arc<Mutex<u32>>) -> ImportPorts {
    let stored = Arc::default();
    load(ports(&stored), limits(), &lines(RecordKind::LegalEntity, [1, 2])).0.unwrap();
    let there: Vec<_> = std::mem::take(&mut stored.lock().unwrap().records).into_values().collect();
    let there: Vec<_> = there
        .into_iter()
        .map(|record| match record {
            Record::LegalEntity(record) => record,
            other => panic!("{other:?}"),
        })
        .collect();
    let scans = Arc::clone(scans);
    let mut legal_entities = MockLegalEntityRegistry::new();
    legal_entities.expect_scan_legal_entities().returning(move |after, _| {
        *scans.lock().unwrap() += 1;
        Ok(page_of(&there, after))
    });
    let mut contracts = MockContractRegistry::new();
    contracts.expect_scan_divisions().returning(|_, _| Ok(page_of(&[], None)));
    contracts.expect_scan_contracts().returning(|_, _| Ok(page_of(&[], None)));
    // A write to the other stores would be the first call, which fails.
    let failing = ports_failing_at(&Arc::default(), 0);
    ImportPorts { legal_entities: Arc::new(legal_entities), contracts: Arc::new(contracts), ..failing }
}

fn check(ports: ImportPorts, limits: ImportLimits, lines: &[String]) -> Result<Report, ImportError> {
    let importer = Importer::new(ports, limits).with_dry_run(true);
    block_on(importer.run(Cursor::new(lines.join("\n")), |_| {}))
}

fn valid(valid: u64) -> Counts {
    Counts { valid, ..Counts::default() }
}

#[test]
fn a_dry_run_counts_and_refuses_what_an_import_would_and_writes_nothing() {
    let scans = Arc::default();
    // The legal entity 1 is stored; 3 to 5 come with the input; the party 6 does not exist.
    let all: Vec<String> = [
        lines(RecordKind::Division, [2, 12]),
        lines(RecordKind::Contract, [3]),
        lines(RecordKind::ContractDivision, [4]),
        lines(RecordKind::Employee, [20]),
        lines(RecordKind::MedicalProgram, [8]),
        lines(RecordKind::ProgramDevice, [21]),
        lines(RecordKind::Person, [22]),
        lines(RecordKind::DeviceRequest, [23]),
        lines(RecordKind::DeviceDispense, [24, UNENCODABLE]),
        vec!["canary".to_owned()],
    ]
    .concat();
    for max_batch_records in [1, 1_000] {
        let limits = ImportLimits { max_batch_records, ..limits() };
        let report = check(read_only_ports(&scans), limits, &all).unwrap();
        let party = format!("its party {} is not there", uuid(6));
        let definition = format!("its device definition {} is not there", uuid(9));
        let faults = [
            bad(5, &party),
            bad(7, &definition),
            bad(11, "is too large for the store"),
            bad(12, "$: is not JSON (column 1)"),
        ];
        assert_eq!((report.lines, report.bad_lines, report.listed_bad_lines), (12, 4, faults.to_vec()));
        let expected = [
            (RecordKind::Division, valid(2)),
            (RecordKind::Contract, valid(1)),
            (RecordKind::ContractDivision, valid(1)),
            (RecordKind::Person, valid(1)),
            (RecordKind::Employee, valid(0)),
            (RecordKind::MedicalProgram, valid(1)),
            (RecordKind::ProgramDevice, valid(0)),
            (RecordKind::DeviceRequest, valid(1)),
            (RecordKind::DeviceDispense, valid(1)),
        ];
        assert_eq!(report.totals.into_iter().collect::<Vec<_>>(), expected);
    }
    // Two pages, once a run.
    assert_eq!(*scans.lock().unwrap(), 4);
}

#[test]
fn a_dry_run_that_cannot_read_a_store_says_that_nothing_was_written() {
    let mut legal_entities = MockLegalEntityRegistry::new();
    let unavailable = || StoreError::new(StoreErrorKind::Unavailable, "testing");
    legal_entities.expect_scan_legal_entities().returning(move |_, _| Err(unavailable()));
    let ports = ImportPorts { legal_entities: Arc::new(legal_entities), ..ports(&Arc::default()) };
    let error = check(ports, limits(), &lines(RecordKind::Division, [10, 11])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store could not be read while lines 1 to 2 were checked; nothing was written"
    );
}
