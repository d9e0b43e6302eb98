//! D01 and D08: contract divisions are listed.

use esoz_contract_division::ContractDivision;
use esoz_kernel::Uuid;
use esoz_testkit::builders::{at_micros, contract_division, division_of, fresh};
use esoz_tests::{Answer, CONTRACT_DIVISIONS, Kind, Request, TestApp, UpdateFixture, on_every_store};
use reqwest::Method;
use serde_json::{Value, json};

use crate::show_contract_division::{READ, every_wrong_caller, put_hidden_records, shown};

/// A clinic with a record, and a token and an api key that may read it.
struct Reader {
    app: TestApp,
    fixture: UpdateFixture,
}

impl Reader {
    async fn new(kind: Kind) -> Self {
        let app = TestApp::new(kind).await;
        let fixture = UpdateFixture::load(&app).await.with_scope(&app, READ).await;
        Self { app, fixture }
    }

    fn request(&self, query: &str) -> Request {
        self.app.request(Method::GET, &format!("{CONTRACT_DIVISIONS}{query}"))
    }

    async fn list(&self, query: &str) -> Answer {
        self.request(query).api_key(&self.fixture.api_key).token(&self.fixture.token).send().await
    }

    /// Another record, of a division of its own.
    async fn put(&self, contract: usize, inserted_at: i64) -> ContractDivision {
        let division = division_of(self.fixture.clinic.facts.id);
        self.app.put_division(&division).await;
        let mut record = contract_division(self.fixture.contracts[contract].facts.id, division.facts.id);
        record.stamps.inserted_at = at_micros(inserted_at);
        self.app.put_contract_division(&record).await;
        record
    }
}

/// The page of a list.
fn paging(number: u32, size: u32, entries: u32, pages: u32) -> Value {
    json!({"page_number": number, "page_size": size, "total_entries": entries, "total_pages": pages})
}

on_every_store! {
    async fn d01_list_asks_for_api_key_token_and_both_scopes(kind) {
        let reader = Reader::new(kind).await;
        every_wrong_caller(&reader.app, &reader.fixture, READ, || reader.request("")).await;
        assert_eq!(reader.list("").await.status, 200);
    }

    async fn d08_filters(kind) {
        let reader = Reader::new(kind).await;
        let first = reader.fixture.record;
        let (second, third) = (reader.put(1, 1).await, reader.put(1, 2).await);
        let text = |id: Uuid| id.to_string();
        let (contract, division) = (text(second.contract_id.uuid()), text(third.division_id.uuid()));
        for (query, expected) in [
            (format!("?id={}", first.id), vec![first]),
            (format!("?id={}", first.id.to_string().to_uppercase()), vec![first]),
            (format!("?contract_id={contract}"), vec![second, third]),
            (format!("?division_id={division}"), vec![third]),
            (format!("?contract_id={contract}&division_id={division}&is_active=true"), vec![third]),
            (format!("?id={}&contract_id={contract}", first.id), vec![]),
            (format!("?id={}", fresh()), vec![]),
            (format!("?contract_id={contract}&is_active=false"), vec![]),
        ] {
            let answer = reader.list(&query).await;
            let entries = u32::try_from(expected.len()).unwrap();
            let data: Vec<Value> = expected.iter().map(shown).collect();
            answer.assert_list(&data, &paging(1, 50, entries, 1));
        }
    }

    async fn d08_what_is_inactive_or_of_another_type_is_not_listed(kind) {
        let reader = Reader::new(kind).await;
        let Reader { app, fixture } = &reader;
        let [inactive, of_capitation] = put_hidden_records(app, fixture).await;
        let mut ended = fixture.contracts[0].clone();
        ended.facts.is_active = false;
        app.put_contract(&ended).await;

        let of_clinic = format!("?division_id={}", fixture.divisions[0].facts.id);
        reader.list(&of_clinic).await.assert_list(&[shown(&fixture.record)], &paging(1, 50, 1, 1));
        for hidden in [inactive.id, of_capitation.id] {
            reader.list(&format!("?id={hidden}")).await.assert_list(&[], &paging(1, 50, 0, 1));
        }
    }

    async fn d08_pages_in_order(kind) {
        let reader = Reader::new(kind).await;
        let mut records = Vec::new();
        for place in 0..12 {
            records.push(reader.put(1, place % 3).await);
        }
        records.sort_by_key(|record| (record.stamps.inserted_at, record.id));
        let contract = reader.fixture.contracts[1].facts.id;
        for (page, range) in [(1, 0..5), (2, 5..10), (3, 10..12), (4, 12..12)] {
            let answer = reader.list(&format!("?contract_id={contract}&page={page}&page_size=5")).await;
            let data: Vec<Value> = records[range].iter().map(shown).collect();
            answer.assert_list(&data, &paging(page, 5, 12, 3));
        }
        let all = reader.list(&format!("?page_size=500&contract_id={contract}")).await;
        assert_eq!(all.body["data"].as_array().unwrap().len(), 12);
        let last = reader.list(&format!("?page=1000000&contract_id={contract}")).await;
        last.assert_list(&[], &paging(1_000_000, 50, 12, 1));
    }

    async fn d08_faults(kind) {
        let reader = Reader::new(kind).await;
        let secret = "0-what-is-sent-is-not-repeated";
        for (query, faults) in [
            ("?page=0", vec![("$.page", "number")]),
            ("?page=-1", vec![("$.page", "number")]),
            ("?page=1000001", vec![("$.page", "number")]),
            ("?page=99999999999999999999999", vec![("$.page", "number")]),
            ("?page=abc", vec![("$.page", "cast")]),
            ("?page=", vec![("$.page", "cast")]),
            ("?page=+1", vec![("$.page", "cast")]),
            ("?page_size=0", vec![("$.page_size", "number")]),
            ("?page_size=501", vec![("$.page_size", "number")]),
            ("?page_size=1e2", vec![("$.page_size", "cast")]),
            ("?id=42", vec![("$.id", "format")]),
            ("?contract_id=", vec![("$.contract_id", "format")]),
            (&format!("?division_id={secret}"), vec![("$.division_id", "format")]),
            ("?is_active=yes", vec![("$.is_active", "cast")]),
            ("?is_active", vec![("$.is_active", "cast")]),
            ("?contract=1", vec![("$.contract", "schema")]),
            (&format!("?{secret}=1&%22%3Cb%3E=2"), vec![("$", "schema")]),
            ("?page=1&page=1", vec![("$.page", "schema")]),
            (
                "?unknown=1&page=0&id=x&is_active=2&page_size=1&page_size=2",
                vec![("$.id", "format"), ("$.is_active", "cast"), ("$.page", "number"), ("$.page_size", "schema"), ("$.unknown", "schema")],
            ),
        ] {
            let answer = reader.list(query).await;
            answer.assert_query_faults(&faults);
            assert!(!answer.body["error"].to_string().contains(secret), "{query}");
        }
        let bounds = &reader.list("?page_size=0").await.body["error"]["invalid"][0]["rules"][0]["params"];
        assert_eq!(*bounds, json!(["1", "500"]));
    }

    async fn d08_the_scope_comes_before_the_query(kind) {
        let reader = Reader::new(kind).await;
        let writer = UpdateFixture::load(&reader.app).await;
        let answer = reader.request("?page=0").api_key(&writer.api_key).token(&writer.token).send().await;
        assert_eq!(answer.status, 403);
    }
}
