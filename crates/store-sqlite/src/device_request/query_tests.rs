//! Plans: no lookup reads a whole table. And what is left of old wrong codes.

use diesel::connection::SimpleConnection as _;
use esoz_kernel::{DispenseId, Uuid};

use super::*;
use crate::query_plan::{migrated, plan};

fn query(request: u128, codes_since: &str) -> RequestQuery {
    RequestQuery {
        request: DeviceRequestId::new(Uuid::from_u128(request)),
        id: DispenseId::new(Uuid::nil()),
        active_since: None,
        codes_since: codes_since.parse().unwrap(),
    }
}

/// Many requests, each with wrong codes of other days.
const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO device_requests (id, subject, status, intent, code, dispense_valid_to, inserted_at, inserted_by, updated_at, updated_by)
    SELECT printf('00000000-0000-0000-0000-%012d', i), 'S', 'active', 'order', 'c', '2026-12-31', '', '', '', '' FROM n;
    INSERT INTO device_request_wrong_codes (request_id, given_at)
    SELECT device_requests.id, printf('2026-01-%02dT08:00:00.000Z', day.value) FROM device_requests, json_each('[1, 2, 3]') AS day;
    ANALYZE";

#[test]
fn nothing_reads_a_whole_table() {
    let (_folder, mut connection) = migrated();
    for prepare in ["", FILL] {
        connection.batch_execute(prepare).unwrap();
        let query = query(0x10, "2026-01-02T08:00:00Z");
        let (counted, _) = plan(&mut connection, &counted!(query));
        let index = "SEARCH device_request_wrong_codes USING COVERING INDEX device_request_wrong_codes_";
        assert_eq!(counted, format!("{index}request_id (request_id=? AND given_at>?)"));
        let (expired, _) = plan(&mut connection, &expired!(query.codes_since));
        assert_eq!(expired, format!("{index}given_at (given_at<?)"));
        let (found, _) = plan(&mut connection, &device_requests::table.find(query.request.to_string()));
        assert!(found.starts_with("SEARCH device_requests USING INDEX sqlite_autoindex"), "{found}");
    }
}

#[test]
fn a_new_wrong_code_deletes_some_old_ones_of_any_request() {
    let (_folder, mut connection) = migrated();
    connection.batch_execute(FILL).unwrap();
    let all = |connection: &mut _| wrong_codes::table.count().get_result::<i64>(connection).unwrap();
    let at = "2026-01-02T09:00:00Z".parse().unwrap();
    let query = query(0x10, "2026-01-02T08:00:00Z");
    assert_eq!(count_wrong_codes(&mut connection, &query).unwrap().0, 1);
    for step in 1..=20 {
        add_wrong_code(&mut connection, &query, at).unwrap();
        assert_eq!(all(&mut connection), 3_000 - 100 * step + step);
    }
    add_wrong_code(&mut connection, &query, at).unwrap();
    assert_eq!(all(&mut connection), 1_021, "those that count stay");
    assert_eq!(count_wrong_codes(&mut connection, &query).unwrap(), (22, Some(at)));
}
