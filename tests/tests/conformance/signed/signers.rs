//! J02: the taxpayer number of the signer and that of the user's party.

use esoz_tests::{Documents, SignedAction, SignedFixture, digest_of, on_every_store};

use super::{WRONG_SIGNER, assert_untouched};

on_every_store! {
    async fn j02_another_spelling_of_the_same_number(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        for action in SignedAction::ALL {
            for (in_certificate, in_register) in [
                ("1234567890", "1234567890"),
                (" 12345 67890 ", "1234567890"),
                ("1234567890", "12345\u{A0}67890\u{FEFF}"),
                ("ab123456", "AB123456"),
                ("АВ 123456", "AB123456"),
                ("AB123456", "ав123456"),
                ("ЮЯ123456", "юя 123456"),
            ] {
                let mut fixture = SignedFixture::new(&app, &documents);
                fixture.signer = documents.signer(Some(in_certificate));
                fixture.party.facts.drfo = digest_of(in_register);
                fixture.store(&app).await;
                let answer = fixture.change(&app, action).await;
                assert_eq!(answer.status, 200, "{in_certificate} {in_register}: {:#}", answer.body);
            }
        }
    }

    async fn j02_another_number_or_none(kind) {
        let documents = Documents::new();
        let app = documents.start(kind).await;
        let mut fixtures = Vec::new();
        for action in SignedAction::ALL {
            for (in_certificate, in_register) in [
                (Some("1234567890"), "1234567891"),
                (Some("ГЖ123456"), "ГЗ123456"),
                (None, "1234567890"),
                (Some(" "), "1234567890"),
                (Some("1234567890"), ""),
                (Some("1234567890"), " "),
                (None, ""),
                (Some(" "), " "),
            ] {
                let mut fixture = SignedFixture::new(&app, &documents);
                fixture.signer = documents.signer(in_certificate);
                fixture.party.facts.drfo = digest_of(in_register);
                fixture.store(&app).await;
                fixture.change(&app, action).await.assert_refused(&[WRONG_SIGNER]);
                fixtures.push(fixture);
            }
            // Nobody knows the user.
            let mut fixture = SignedFixture::new(&app, &documents);
            fixture.party.users = vec![esoz_testkit::builders::user()];
            fixture.store(&app).await;
            fixture.change(&app, action).await.assert_refused(&[WRONG_SIGNER]);
            fixtures.push(fixture);
        }
        assert_untouched(&app, &documents, &fixtures).await;
    }
}
