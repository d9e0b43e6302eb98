//! L09 and L10: how a patient is shown in a list, and what becomes of a dispense that cannot be read.

use esoz_device_dispense::PatientPseudonyms as _;
use esoz_pseudonym::Aes128CbcPseudonyms;
use esoz_testkit::builders::reference;
use esoz_tests::{Setup, on_every_store, secret_scan};
use serde_json::{Value, json};

use super::{Reader, nameless, paging};

on_every_store! {
    async fn l09_subject_under_aes(kind) {
        let (key, iv) = ("8grv872gt3trc92b", "99yBSYB*Y99yr932");
        let setup = Setup::new(kind).variable("ESOZ_PATIENT__PSEUDONYM", "aes-128-cbc");
        let setup = setup.variable("ESOZ_PATIENT__KEY", key).variable("ESOZ_PATIENT__IV", iv);
        let reader = Reader::on(setup.start().await).await;
        let patient = reader.fixture.patient;
        let subject = Aes128CbcPseudonyms::try_new(key, iv).unwrap().of(patient);
        let one = reader.put(|another| another.subject(subject.clone())).await;
        let shown = reader.fixture.shown(&one);
        // The other one's subject is of another scheme: none of this one.
        reader.list("").await.assert_list(std::slice::from_ref(&shown), &paging(1, 50, 2, 1));
        reader.list_of_patient("").await.assert_list(&[shown], &paging(1, 50, 1, 1));
        assert!(secret_scan::captured().contains(&reader.fixture.dispense.id.to_string()));
    }

    async fn l09_subject_under_hmac(kind) {
        let reader = Reader::new(kind).await;
        let answer = reader.list("").await;
        assert_eq!(answer.body["data"][0]["subject"], json!({"display_value": null}));
        let answer = reader.list_of_patient("").await;
        assert_eq!(answer.body["data"][0]["subject"], reference("patient", reader.fixture.patient.uuid()));
    }

    async fn l10_one_that_cannot_be_read(kind) {
        let reader = Reader::new(kind).await;
        let mut readable = vec![reader.fixture.dispense.clone()];
        for _ in 0..8 {
            readable.push(reader.put(|another| another).await);
        }
        let broken = reader.put(|another| another).await;
        reader.app.raw().set_field(broken.id, "status", json!("exploded")).await;
        readable.sort_by_key(|dispense| dispense.id);
        let data: Vec<Value> = readable.iter().map(|one| reader.fixture.shown(one)).collect();
        let left_out = async || reader.app.scrape().await.sum("esoz_unreadable_records_total", &[]);
        assert_eq!(left_out().await, Some(0.0));
        reader.list_of_patient("").await.assert_list(&data, &paging(1, 50, 10, 1));
        assert_eq!(left_out().await, Some(1.0));
        let data: Vec<Value> = data.iter().map(nameless).collect();
        reader.list("").await.assert_list(&data, &paging(1, 50, 10, 1));
        assert_eq!(left_out().await, Some(2.0));
        let log = secret_scan::captured();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(&broken.id.to_string()) && line.contains("is left out of a list"))
            .collect();
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(lines.iter().all(|line| line.contains("\"WARN\"") && line.contains("field status")), "{lines:#?}");
    }
}
