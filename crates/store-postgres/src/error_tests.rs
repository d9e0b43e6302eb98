use super::*;

fn failure(code: &str) -> Failure {
    Failure::of_query(QueryError::NotFound, Some(SqlState::from_code(code)))
}

#[test]
fn sqlstate_decides_the_kind() {
    for (kind, codes) in [
        (StoreErrorKind::Conflict, &["40001", "40P01"][..]),
        (
            StoreErrorKind::Unavailable,
            &[
                "08000", "08006", "08P01", "28000", "28P01", "53100", "53200", "53300", "57014", "57P01",
                "57P02", "57P03", "55P03", "ES001", "25006", "25P03", "40003",
            ][..],
        ),
        (StoreErrorKind::Unexpected, &["42601", "42501", "23505", "22021", "3D000", "XX000", "P0001"][..]),
    ] {
        for code in codes {
            assert_eq!(failure(code).during("testing").kind(), kind, "{code}");
        }
    }
}

#[test]
fn without_sqlstate_a_lost_connection_is_unavailable_and_the_rest_unexpected() {
    let lost = || Box::new(String::from("connection closed"));
    for (kind, error) in [
        (
            StoreErrorKind::Unavailable,
            QueryError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, lost()),
        ),
        (StoreErrorKind::Unavailable, QueryError::DatabaseError(DatabaseErrorKind::ClosedConnection, lost())),
        (StoreErrorKind::Unexpected, QueryError::DeserializationError("bad".into())),
    ] {
        assert_eq!(Failure::of_query(error, None).during("testing").kind(), kind);
    }
}

#[test]
fn a_connection_that_lost_its_server_or_found_a_replica_is_not_used_again() {
    for code in ["08006", "57P01", "25P03", "25006"] {
        assert!(failure(code).breaks_connection(), "{code}");
    }
    for code in ["57014", "55P03", "40P01", "23505"] {
        assert!(!failure(code).breaks_connection(), "{code}");
    }
    assert!(Failure::unavailable("no answer").breaks_connection());
}

#[test]
fn the_cause_tells_the_sqlstate() {
    let error =
        failure("55P03").with_hint(&SqlState::LOCK_NOT_AVAILABLE, "look who holds it").during("testing");
    assert_eq!(error.to_string(), "the store is unavailable while testing (look who holds it)");
    assert_eq!(error.source().unwrap().to_string(), "SQLSTATE 55P03: Record not found");
}
