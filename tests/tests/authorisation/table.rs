//! Who may use which route, and that nobody may use one that does not say so.

use std::collections::BTreeSet;

use esoz_auth::{CallerKind, OperationInfo};
use esoz_tests::COMMITTED;
use serde_json::Value;

const PAGE: &str =
    "the page that shows the description: files out of the binary, which say nothing about any installation";
const PROBE: &str =
    "probes present nothing; says only which servers are up, and is made from what was looked at before";

const SAMPLES: &str = "credentials and ids of a demo's invented data; null in every other server";
const INSPECTOR: &str = "is there where the configuration turns it on alone; shows what the log has of requests, and events, to anybody";

/// The routes that anybody may `GET`, and why.
pub(crate) const ANYBODY: [(&str, &str); 17] = [
    ("/openapi.json", "the published description: the same in every installation"),
    ("/health/live", PROBE),
    ("/health/ready", PROBE),
    ("/docs", PAGE),
    ("/docs/", PAGE),
    ("/docs/page.js", PAGE),
    ("/docs/page.css", PAGE),
    ("/docs/swagger-ui-bundle.js", PAGE),
    ("/docs/swagger-ui.css", PAGE),
    ("/docs/LICENSE", PAGE),
    ("/docs/NOTICE", PAGE),
    ("/docs/swagger-ui-bundle.js.LICENSE.txt", PAGE),
    ("/docs/samples.json", SAMPLES),
    ("/", INSPECTOR),
    ("/inspector/page.css", INSPECTOR),
    ("/inspector/page.js", INSPECTOR),
    ("/inspector/stream", INSPECTOR),
];

/// A route that asks who calls: its verb, its path, and the operation whose scope the caller must hold.
pub(crate) struct Protected {
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) operation: OperationInfo,
}

/// Every route that is served and is not for anybody.
pub(crate) fn protected() -> Vec<Protected> {
    let published: Value = serde_json::from_str(COMMITTED).unwrap();
    let operations = esoz_http::operations();
    let of_anybody = |verb: &str, path: &str| ANYBODY.iter().any(|known| ("GET", known.0) == (verb, path));
    let served = esoz_http::served().into_iter().filter(|(verb, path)| !of_anybody(verb, path));
    served
        .map(|(verb, path)| {
            let name = &published["paths"][&path][verb.to_lowercase()]["operationId"];
            let operation = operations.iter().find(|operation| name == operation.name);
            let operation = *operation.unwrap_or_else(|| panic!("{verb} {path} does not say who may use it"));
            Protected { verb, path, operation }
        })
        .collect()
}

/// Every verb that a path takes, `HEAD` aside.
pub(crate) fn verbs_of(path: &str) -> Vec<String> {
    esoz_http::served().into_iter().filter(|(_, served)| served == path).map(|(verb, _)| verb).collect()
}

#[test]
fn every_route_for_anybody_is_served_and_every_operation_has_its_route() {
    let served = esoz_http::served();
    for (path, why) in ANYBODY {
        assert!(served.contains(&("GET".to_owned(), path.to_owned())), "GET {path} is not served");
        assert!(!why.is_empty(), "GET {path} must say why anybody may use it");
    }
    let routed: BTreeSet<&str> = protected().iter().map(|route| route.operation.name).collect();
    let registered: BTreeSet<&str> = esoz_http::operations().iter().map(|operation| operation.name).collect();
    assert_eq!(routed, registered);
    assert_eq!(served.len(), ANYBODY.len() + routed.len(), "an operation with two routes");
}

#[test]
fn every_route_that_is_published_is_published_as_protected_as_it_is() {
    let published: Value = serde_json::from_str(COMMITTED).unwrap();
    let protected = protected();
    let mut seen = 0;
    for (path, item) in published["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let route = protected
                .iter()
                .find(|route| (route.verb.to_lowercase(), &route.path) == (verb.clone(), path));
            let expected: &[&str] = match route.map(|route| route.operation.caller) {
                None => &[],
                Some(CallerKind::User) => &["access_token"],
                Some(CallerKind::UserWithApiKey) => &["access_token", "api_key"],
            };
            // Each entry of `security` is one sufficient way in: there must be one, and all of it is asked for.
            let ways = operation["security"].as_array().unwrap();
            let schemes: Vec<&str> = ways[0].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!((ways.len(), schemes.as_slice()), (1, expected), "{verb} {path}");
            seen += 1;
        }
    }
    assert!(seen >= protected.len() + 3, "{seen} operations");
}
