//! What an update needs so that nothing is wrong with it. A test changes the one thing that it is about.

use esoz_auth::{NewAccessToken, NewApiKey, Scope, Secret};
use esoz_contract_division::{
    ContractDivision, ContractRecord, ContractType, DivisionRecord, Filter, Visibility,
};
use esoz_kernel::PageRequest;
use esoz_legal_entity::LegalEntityRecord;
use esoz_testkit::builders::{
    access_token, api_key, contract_division, contract_of, division_of, legal_entity, secret,
};
use esoz_testkit::contract_divisions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::tokens::issue;
use crate::{Answer, Request, TestApp};

/// A clinic with two places and two contracts of a global budget, a record that ties the first of each, and a token and an api key of
/// the national health service that may change it to the second of each.
pub struct UpdateFixture {
    /// The clinic.
    pub clinic: LegalEntityRecord,
    /// The place that the record names, and the one it shall name.
    pub divisions: [DivisionRecord; 2],
    /// The contract that the record belongs to, and the one it shall belong to.
    pub contracts: [ContractRecord; 2],
    /// The record.
    pub record: ContractDivision,
    /// The token, as its holder has it.
    pub token: Secret,
    /// The token, as it is stored.
    pub stored_token: NewAccessToken,
    /// The api key, as its holder has it.
    pub api_key: Secret,
    /// The api key, as it is stored.
    pub stored_api_key: NewApiKey,
}

impl UpdateFixture {
    /// Makes it, and loads it into the app's stores.
    pub async fn load(app: &TestApp) -> Self {
        let fixture = Self::new(app);
        app.put_legal_entity(&fixture.clinic).await;
        for division in &fixture.divisions {
            app.put_division(division).await;
        }
        for contract in &fixture.contracts {
            app.put_contract(contract).await;
        }
        app.put_contract_division(&fixture.record).await;
        app.stores.credentials.add_token(&fixture.stored_token).await.unwrap();
        app.stores.credentials.add_api_key(&fixture.stored_api_key).await.unwrap();
        fixture
    }

    fn new(app: &TestApp) -> Self {
        let clinic = legal_entity();
        let divisions = [division_of(clinic.facts.id), division_of(clinic.facts.id)];
        let contracts = [contract_of(clinic.facts.id), contract_of(clinic.facts.id)];
        let record = contract_division(contracts[0].facts.id, divisions[0].facts.id);
        let (token, key) = (secret(), secret());
        let (stored_token, stored_api_key) = (app.lasting(access_token(&token)), api_key(&key));
        Self { clinic, divisions, contracts, record, token, stored_token, api_key: key, stored_api_key }
    }

    /// The same with a token and an api key that hold another scope.
    ///
    /// # Panics
    /// When they cannot be stored.
    pub async fn with_scope(self, app: &TestApp, scope: &str) -> Self {
        let (token, key, scope) = (secret(), secret(), Scope::parse(scope));
        let stored_token =
            NewAccessToken { digest: token.digest(), scope: scope.clone(), ..self.stored_token.clone() };
        let stored_api_key = NewApiKey { digest: key.digest(), scope, ..self.stored_api_key.clone() };
        app.stores.credentials.add_token(&stored_token).await.unwrap();
        app.stores.credentials.add_api_key(&stored_api_key).await.unwrap();
        Self { token, stored_token, api_key: key, stored_api_key, ..self }
    }

    /// The second contract, each time with one thing about it that makes it unusable.
    pub fn unusable_contracts(&self) -> [ContractRecord; 3] {
        [(ContractType::GbCbp, false), (ContractType::Capitation, true), (ContractType::Reimbursement, true)]
            .map(|(kind, is_active)| {
                let mut contract = self.contracts[1].clone();
                contract.facts.kind = kind;
                contract.facts.is_active = is_active;
                contract
            })
    }

    /// The path of the record.
    pub fn path(&self) -> String {
        update_path(&self.record.id.to_string())
    }

    /// What the update asks for.
    pub fn change(&self) -> Value {
        change(&self.contracts[1], &self.divisions[1])
    }

    /// A request to the record that lacks nothing but its body.
    pub fn request(&self, app: &TestApp) -> Request {
        self.request_to(app, &self.path())
    }

    /// A request to another path that lacks nothing but its body.
    pub fn request_to(&self, app: &TestApp, path: &str) -> Request {
        app.put(path).api_key(&self.api_key).token(&self.token)
    }

    /// A request for a new record that lacks nothing but its body.
    pub fn create_request(&self, app: &TestApp) -> Request {
        app.request(Method::POST, CONTRACT_DIVISIONS).api_key(&self.api_key).token(&self.token)
    }

    /// Creates a record with the contract and the division that an update would have.
    pub async fn create(&self, app: &TestApp) -> Answer {
        self.create_request(app).json(&self.change()).send().await
    }

    /// The request that deletes the record at that path, with nothing wrong with it.
    pub fn delete_request(&self, app: &TestApp, path: &str) -> Request {
        app.request(Method::DELETE, path).api_key(&self.api_key).token(&self.token)
    }

    /// Deletes the record.
    pub async fn delete(&self, app: &TestApp) -> Answer {
        self.delete_request(app, &self.path()).send().await
    }

    /// Sends the update with another body.
    pub async fn put(&self, app: &TestApp, body: &Value) -> Answer {
        self.request(app).json(body).send().await
    }

    /// Sends the update.
    pub async fn update(&self, app: &TestApp) -> Answer {
        self.put(app, &self.change()).await
    }

    /// The token, changed, as a second one for the same user and client.
    pub async fn issue(&self, app: &TestApp, change: impl FnOnce(&mut NewAccessToken)) -> Secret {
        issue(app, &self.stored_token, change).await
    }

    /// Nothing happened to the record: it is stored as it was loaded, and only that was audited.
    pub async fn assert_untouched(&self, app: &TestApp) {
        let stored = self.stored(app).await;
        assert_eq!(stored, self.record);
        let audited: Vec<String> =
            app.audit().rows(self.record.id).await.into_iter().map(|row| row.action).collect();
        assert_eq!(audited, ["INSERT"]);
    }

    /// The record as it is stored.
    pub async fn stored(&self, app: &TestApp) -> ContractDivision {
        let stored = contract_divisions::stored(&*app.stores.contract_divisions, self.record.id).await;
        stored.unwrap().expect("the record")
    }

    /// The data of the answer when the record was changed to that contract and division at that time (microseconds).
    pub fn updated(&self, contract: &ContractRecord, division: &DivisionRecord, at: &str) -> Value {
        let stamps = &self.record.stamps;
        json!({
            "id": self.record.id.to_string(),
            "contract_id": contract.facts.id.to_string(),
            "division_id": division.facts.id.to_string(),
            "is_active": true,
            "inserted_at": esoz_kernel::time::rfc3339_micros(stamps.inserted_at),
            "inserted_by": stamps.inserted_by.to_string(),
            "updated_at": at,
            "updated_by": self.stored_token.user_id.to_string(),
        })
    }
}

/// The path of all contract divisions.
pub const CONTRACT_DIVISIONS: &str = "/api/admin/contract_divisions";

/// The path of a contract division.
pub fn update_path(id: &str) -> String {
    format!("{CONTRACT_DIVISIONS}/{id}")
}

/// Every active contract division of a contract of a global budget.
///
/// # Panics
/// When they cannot be listed, or are more than a page.
pub async fn active_contract_divisions(app: &TestApp) -> Vec<ContractDivision> {
    let filter = Filter { id: None, contract_id: None, division_id: None, visibility: Visibility::SHOWN };
    let page = app.stores.contract_divisions.list(&filter, PageRequest::FIRST).await.unwrap();
    assert_eq!(page.total_entries, u64::try_from(page.items.len()).unwrap());
    page.items.into_iter().map(Result::unwrap).collect()
}

/// What an update to that contract and division asks for.
pub fn change(contract: &ContractRecord, division: &DivisionRecord) -> Value {
    json!({"division_id": division.facts.id.to_string(), "contract_id": contract.facts.id.to_string()})
}
