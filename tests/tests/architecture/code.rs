//! What the code of a crate may use.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{DOMAIN, root, sources};

fn domain_sources() -> Vec<(PathBuf, String)> {
    let folder = |name: &str| root().join("crates").join(name.trim_start_matches("esoz-")).join("src");
    DOMAIN.into_iter().flat_map(|name| sources(&folder(name))).collect()
}

#[test]
fn examples_of_domain_crates_use_domain_crates_only() {
    for (crate_folder, allowed) in
        [("device-dispense", "esoz_device_dispense"), ("contract-division", "esoz_contract_division")]
    {
        let examples = sources(&root().join("crates").join(crate_folder).join("examples"));
        assert!(!examples.is_empty(), "{crate_folder} has no example");
        for (path, text) in examples {
            assert!(text.contains(allowed), "{} does not use its crate", path.display());
            let ours = text
                .split(|char: char| !(char.is_alphanumeric() || char == '_'))
                .filter(|word| word.starts_with("esoz_"));
            for word in ours {
                assert!(DOMAIN.contains(&word.replace('_', "-").as_str()), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn http_executes_operations_only() {
    let stores =
        ["DeviceDispenses", "LegalEntities", "ContractDivisions", "AccessTokens", "ApiKeys", "Outbox"];
    for (path, text) in sources(&root().join("crates/http/src")) {
        let words: BTreeSet<&str> = text.split(|char: char| !char.is_alphanumeric() && char != '_').collect();
        for store in stores {
            assert!(!words.contains(store), "{} asks the port {store} itself", path.display());
        }
    }
}

#[test]
fn domain_types_are_not_serialized() {
    for (path, text) in domain_sources() {
        assert!(!text.contains("Serialize"), "{} serializes a domain type", path.display());
    }
}

#[test]
fn domain_crates_read_no_environment() {
    for (path, text) in domain_sources() {
        for forbidden in ["std::env", "std::fs", "std::net", "std::thread::spawn"] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", path.display());
        }
    }
}
