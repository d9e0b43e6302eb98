//! Requests to the servers under test, and what their answers say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Ask, Connection, Sent};
use crate::fixtures::{Fixtures, Target, Token, Tokens};
use crate::history::{Action, Operation, Outcome};
use crate::load::Shared;

/// How long an unclear request is asked again until somebody must have answered.
pub(crate) const RESOLVED_WITHIN: Duration = Duration::from_secs(90);
/// Between two attempts to get an answer.
pub(crate) const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A request that can be sent any number of times.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What it is for.
    pub action: Action,
    /// Its key.
    pub key: Option<String>,
    ask: Ask,
}

impl Asked {
    /// Stops that dispense.
    pub fn stop(target: &Target, key: Option<String>) -> Self {
        let path = esoz_tests::stop_path(&target.patient, &target.id);
        let ask = Ask { method: Method::PATCH, path, headers: Vec::new(), body: String::new() };
        Self { action: Action::Stop { dispense: target.id.clone() }, key, ask }
    }

    /// Asks to stop a dispense as nobody may.
    pub fn refused_stop(target: &Target, expected: u16) -> Self {
        Self { action: Action::Refused { expected }, ..Self::stop(target, None) }
    }

    /// Points that record at that pair.
    pub fn update(
        fixtures: &Fixtures,
        record: &str,
        contract: &str,
        division: &str,
        key: Option<String>,
    ) -> Self {
        let ask = Ask {
            method: Method::PUT,
            path: esoz_tests::update_path(record),
            headers: vec![("api-key", fixtures.api_key.expose().to_owned())],
            body: json!({"contract_id": contract, "division_id": division}).to_string(),
        };
        let (record, contract, division) = (record.to_owned(), contract.to_owned(), division.to_owned());
        Self { action: Action::Update { record, contract, division }, key, ask }
    }
}

impl Operation {
    /// Whether the token was not let in.
    pub const fn is_unauthorized(&self) -> bool {
        matches!(self.outcome, Outcome::Refused { status: 401, .. })
    }
}

/// A client with a connection of its own.
pub struct Sender {
    /// Its number.
    pub number: u32,
    /// What it shares with the others.
    pub shared: Arc<Shared>,
    /// Its connection.
    pub connection: Connection,
}

impl Sender {
    /// Sends the request once and takes down what became of it; `None` if it never left, so that nothing can have happened.
    pub async fn send(
        &mut self,
        asked: &Asked,
        token: Option<&Token>,
        again: Option<u64>,
    ) -> Option<Operation> {
        let recorder = self.shared.recorder.clone();
        let begun = recorder.begin();
        // Each attempt goes to some server; after a broken connection to another one.
        let from = usize::try_from(begun.number).unwrap_or_default();
        let pick = if again.is_some() { from } else { usize::try_from(self.number).unwrap_or_default() };
        let Some(address) = self.shared.listening.pick(pick) else {
            // Nobody is there: no hurry.
            tokio::time::sleep(Duration::from_millis(5)).await;
            return None;
        };
        let request_id = format!("faults-request-{:012}", begun.number);
        let mut ask = asked.ask.clone();
        ask.headers.push(("x-request-id", request_id.clone()));
        ask.headers.extend(asked.key.clone().map(|key| ("x-idempotency-key", key)));
        ask.headers.extend(token.map(|token| ("authorization", format!("Bearer {}", token.secret.expose()))));
        let outcome = match self.connection.ask(address, &ask).await {
            Sent::Never(_) => return None,
            Sent::Lost(why) => Outcome::Unanswered { why },
            Sent::Answer(status, body) => outcome(status, &body),
        };
        let operation = Operation {
            number: begun.number,
            client: self.number,
            action: asked.action.clone(),
            token: token.map(|token| token.number),
            user: token.map(|token| token.user.clone()).unwrap_or_default(),
            request_id,
            key: asked.key.clone(),
            again,
            started_us: begun.started_us,
            ended_us: recorder.now_us(),
            outcome,
        };
        recorder.record(operation.clone());
        Some(operation)
    }

    /// The same request again until it is clear what became of it.
    pub async fn resolve(&mut self, asked: &Asked, tokens: Option<(&Tokens, usize)>, first: &Operation) {
        let started = Instant::now();
        while started.elapsed() < RESOLVED_WITHIN {
            let token = tokens.map(|(tokens, place)| tokens.at(place));
            let again = self.send(asked, token.as_ref(), Some(first.number)).await;
            // A token that was revoked meanwhile tells nothing about the request.
            let told =
                |again: &Operation| !again.is_unclear() && (!again.is_unauthorized() || tokens.is_none());
            if again.as_ref().is_some_and(told) {
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

/// What an answer says, as far as it matters.
fn outcome(status: u16, body: &Value) -> Outcome {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if status != 200 {
        return Outcome::Refused { status, message: text(&body["error"]["message"]) };
    }
    let data = &body["data"];
    let state = ["status", "contract_id", "division_id"].iter().filter_map(|field| data[field].as_str());
    Outcome::Done {
        at: text(&data["updated_at"]),
        by: text(&data["updated_by"]),
        state: state.map(str::to_owned).collect(),
    }
}
