//! L01 to L12: dispenses are listed.

mod access;
mod filters;
mod pages;
mod rendering;
mod validation;

use esoz_device_dispense::Dispense;
use esoz_testkit::builders::DispenseBuilder;
use esoz_tests::Answer;
use serde_json::{Value, json};

use crate::dispense_reader::Reader;

const MINE: &str = "/api/device_dispenses";

fn of_patient(patient: &str) -> String {
    format!("/api/patients/{patient}/device_dispenses")
}

impl Reader {
    /// The paths of both lists.
    fn paths(&self) -> [String; 2] {
        [MINE.to_owned(), self.path_of_patient()]
    }

    fn path_of_patient(&self) -> String {
        of_patient(&self.fixture.patient.uuid().to_string())
    }

    /// The list of the pharmacy.
    async fn list(&self, query: &str) -> Answer {
        self.get(&format!("{MINE}{query}")).await
    }

    /// The list of the patient.
    async fn list_of_patient(&self, query: &str) -> Answer {
        self.get(&format!("{}{query}", self.path_of_patient())).await
    }

    /// Another dispense of the pharmacy and the patient.
    async fn put(&self, change: impl FnOnce(DispenseBuilder) -> DispenseBuilder) -> Dispense {
        let dispense = change(self.fixture.another(&self.app)).build();
        self.app.put_dispense(&dispense).await;
        dispense
    }

    /// Holds both lists against these dispenses, which come in the order of their time and id.
    async fn assert_both(&self, query: &str, expected: &[&Dispense]) {
        let mut expected = expected.to_vec();
        expected.sort_by_key(|dispense| (dispense.record["inserted_at"].to_string(), dispense.id));
        let paging = paging(1, 50, expected.len(), 1);
        let data: Vec<Value> =
            expected.iter().map(|dispense| nameless(&self.fixture.shown(dispense))).collect();
        self.list(query).await.assert_list(&data, &paging);
        let data: Vec<Value> = expected.iter().map(|dispense| self.fixture.shown(dispense)).collect();
        self.list_of_patient(query).await.assert_list(&data, &paging);
    }
}

/// What is shown of a dispense whose patient the server does not know.
fn nameless(shown: &Value) -> Value {
    let mut shown = shown.clone();
    shown["subject"] = json!({"display_value": null});
    shown
}

/// The page of a list.
fn paging(number: u32, size: u32, entries: usize, pages: u32) -> Value {
    json!({"page": number, "page_size": size, "total_entries": entries, "total_pages": pages})
}

fn ids(answer: &Answer) -> Vec<String> {
    let data = answer.body["data"].as_array().unwrap();
    data.iter().map(|shown| shown["id"].as_str().unwrap().to_owned()).collect()
}
