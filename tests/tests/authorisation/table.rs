//! The table of routes, and that none is missing from it.

use std::collections::BTreeSet;

use esoz_tests::COMMITTED;
use serde_json::Value;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever asks, and why that may be.
    Anybody(&'static str),
    /// Who stops a dispense: `stop.rs` has everybody who may not.
    Stop,
    /// Who updates a contract division: `update.rs` has everybody who may not.
    Update,
}

impl Access {
    /// The published security schemes that the route must ask for, in alphabetical order.
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Anybody(_) => &[],
            Self::Stop => &["access_token"],
            Self::Update => &["access_token", "api_key"],
        }
    }
}

const PAGE: &str =
    "the page that shows the description: files out of the binary, which say nothing about any installation";
const PROBE: &str =
    "probes present nothing; says only which servers are up, and is made from what was looked at before";

/// Every route: its verb, its path, and who may use it.
pub(crate) const TABLE: [(&str, &str, Access); 14] = [
    ("PATCH", "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop", Access::Stop),
    ("PUT", "/api/admin/contract_divisions/{id}", Access::Update),
    ("GET", "/openapi.json", Access::Anybody("the published description: the same in every installation")),
    ("GET", "/health/live", Access::Anybody(PROBE)),
    ("GET", "/health/ready", Access::Anybody(PROBE)),
    ("GET", "/docs", Access::Anybody(PAGE)),
    ("GET", "/docs/", Access::Anybody(PAGE)),
    ("GET", "/docs/page.js", Access::Anybody(PAGE)),
    ("GET", "/docs/page.css", Access::Anybody(PAGE)),
    ("GET", "/docs/swagger-ui-bundle.js", Access::Anybody(PAGE)),
    ("GET", "/docs/swagger-ui.css", Access::Anybody(PAGE)),
    ("GET", "/docs/LICENSE", Access::Anybody(PAGE)),
    ("GET", "/docs/NOTICE", Access::Anybody(PAGE)),
    ("GET", "/docs/swagger-ui-bundle.js.LICENSE.txt", Access::Anybody(PAGE)),
];

fn published() -> Value {
    serde_json::from_str(COMMITTED).unwrap()
}

#[test]
fn every_route_that_is_served_has_its_row_and_every_row_is_served() {
    let served = esoz_http::served();
    let served: BTreeSet<(&str, &str)> =
        served.iter().map(|(verb, path)| (verb.as_str(), path.as_str())).collect();
    let listed: BTreeSet<(&str, &str)> = TABLE.iter().map(|(verb, path, _)| (*verb, *path)).collect();
    assert_eq!(served, listed, "a route that is served must say here who may use it");
    assert_eq!(listed.len(), TABLE.len());
}

#[test]
fn every_route_that_is_published_has_its_row_and_is_published_as_protected_as_it_is() {
    let published = published();
    let mut seen = 0;
    for (path, item) in published["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let verb = verb.to_uppercase();
            let row = TABLE.iter().find(|row| (row.0, row.1) == (verb.as_str(), path.as_str()));
            let (.., access) = row.unwrap_or_else(|| panic!("{verb} {path} is published and has no row"));
            // Each entry of `security` is one sufficient way in: there must be one, and all of it is asked for.
            let ways = operation["security"].as_array().unwrap();
            let schemes: Vec<&str> = ways[0].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!((ways.len(), schemes.as_slice()), (1, access.schemes()), "{verb} {path}");
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} operations");
}

#[test]
fn only_what_anybody_may_use_goes_unpublished() {
    let published = published();
    for (verb, path, access) in TABLE {
        let is_published = published["paths"][path].get(verb.to_lowercase()).is_some();
        assert!(is_published || matches!(access, Access::Anybody(_)), "{verb} {path} must be published");
        if let Access::Anybody(why) = access {
            assert!(!why.is_empty(), "{verb} {path} must say why anybody may use it");
        }
    }
}
