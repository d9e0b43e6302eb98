use esoz_kernel::SecretString;
use serde::{Serialize, Serializer};

/// Invented records and credentials that visitors of the pages try requests with. Anybody sees them.
#[derive(Clone, Serialize)]
pub struct Samples {
    /// Who may call.
    pub callers: Vec<SampleCaller>,
    /// Records, for people to copy their ids.
    pub records: Vec<SampleRecord>,
    /// Requests that succeed as they are.
    pub calls: Vec<SampleCall>,
}

/// A caller with its credentials.
#[derive(Clone, Serialize)]
pub struct SampleCaller {
    /// The name of its access token among the security schemes of the page `/docs`.
    pub scheme: &'static str,
    /// The name that people see, e.g. `Pharmacy`.
    pub name: &'static str,
    /// Its access token.
    #[serde(serialize_with = "shown")]
    pub token: SecretString,
    /// The api key of its software; empty when its calls need none.
    #[serde(serialize_with = "shown")]
    pub api_key: SecretString,
}

/// The page is what shows it.
fn shown<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// A record by its id.
#[derive(Clone, Serialize)]
pub struct SampleRecord {
    /// The label that people see, e.g. `Device request`.
    pub name: &'static str,
    /// Its id.
    pub id: String,
}

/// A request to try, of one operation.
#[derive(Clone, Serialize)]
pub struct SampleCall {
    /// What it does; none: it is filled in at `/docs` and not listed.
    pub title: Option<&'static str>,
    /// The tag of the operation in the description.
    pub group: &'static str,
    /// The operation id in the OpenAPI description, e.g. `stop_device_dispense`.
    pub operation: &'static str,
    /// The [scheme](SampleCaller::scheme) of its caller.
    pub caller: &'static str,
    /// The values of its parameters, by their names.
    pub parameters: Vec<(&'static str, String)>,
    /// The JSON body; `None` when the method takes none.
    pub body: Option<serde_json::Value>,
}
