use esoz_auth::{AccessTokens, Credentials, NewAccessToken, Scope, Secret, TokenKind};
use esoz_contract_division::Refusal;
use esoz_kernel::{ClientId, StoreError, StoreErrorKind, UserId, Uuid, Written};
use esoz_legal_entity::LegalEntities;

use super::support::{audit_rows, fixture, fresh, time, update};

fn assert_corrupt(error: &StoreError, told: &[&str]) {
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    for word in told {
        assert!(error.to_string().contains(word), "{error} does not name {word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_esoz_never_writes_is_told_with_table_id_and_column() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    for sql in [
        "ALTER TABLE legal_entities DROP CONSTRAINT legal_entities_status",
        "UPDATE legal_entities SET status = 'GONE'",
    ] {
        test_db.admin(sql);
    }
    let error = LegalEntities::find(&test_db.store, fixture.legal_entity).await.unwrap_err();
    assert_corrupt(&error, &["legal_entities", &fixture.legal_entity.to_string(), "status"]);

    // What could not be shown is not written.
    for time in ["infinity", "-infinity", "10000-01-01T00:00:00Z", "0002-12-31T23:59:59Z BC"] {
        test_db.admin(&format!("UPDATE contract_divisions SET inserted_at = '{time}'"));
        let audited = audit_rows(&test_db, fixture.record.id);
        let error = update(fixture.record.id, &fixture.to).apply(&test_db.store).await.unwrap_err();
        assert_corrupt(&error, &["contract_divisions", &fixture.record.id.to_string(), "inserted_at"]);
        assert_eq!(audit_rows(&test_db, fixture.record.id), audited);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_of_a_type_that_is_not_known_is_none_of_a_global_budget() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    test_db.admin("ALTER TABLE contracts DROP CONSTRAINT contracts_type");
    for (contract, refusal) in [
        (fixture.to.contract_id, Refusal::ContractNotUsable),
        (fixture.record.contract_id, Refusal::NotGlobalBudget),
    ] {
        let set =
            |kind| test_db.admin(&format!("UPDATE contracts SET type = '{kind}' WHERE id = '{contract}'"));
        set("GLOBAL");
        assert_eq!(update.apply(&test_db.store).await.unwrap(), Written::Refused(refusal));
        set("GB_CBP");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_token_is_told_without_its_digest() {
    let test_db = fresh().await;
    let token = Secret::new("canary");
    let stored = NewAccessToken {
        digest: token.digest(),
        kind: TokenKind::Access,
        user_id: UserId::new(Uuid::from_u128(1)),
        client_id: ClientId::new(Uuid::from_u128(2)),
        scope: Scope::parse("a:read"),
        expires_at: time("2027-01-01T00:00:00Z"),
        issued_at: time("2026-01-01T00:00:00Z"),
    };
    test_db.store.add_token(&stored).await.unwrap();
    test_db.admin("ALTER TABLE access_tokens DROP CONSTRAINT access_tokens_kind");
    test_db.admin("UPDATE access_tokens SET kind = 'another'");
    let error = AccessTokens::find(&test_db.store, &token).await.unwrap_err();
    assert_corrupt(&error, &["access_tokens", "kind"]);
}
