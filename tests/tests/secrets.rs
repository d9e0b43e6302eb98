//! What holds a secret holds it so that it is wiped and not shown, and secrets are compared in one way: read off the sources, so that a new
//! field or comparison cannot be forgotten.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use regex::Regex;

/// Fields whose names sound like a secret and that hold none, and why.
const NO_SECRETS: [(&str, &str); 2] = [
    ("token_type", "what an issuer says of a token: `Bearer`"),
    ("token_use", "what an issuer says of a token"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What the product is made of: without tests, and without what only tests use.
fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let (product, _) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
                into.push((path, product.to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["crates", "bin/esoz"] {
        for entry in walk(&root().join(folder)) {
            collect(&entry, &mut found);
        }
    }
    let is_product = |path: &Path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        !path.starts_with(root().join("crates/testkit")) && !name.ends_with("tests")
    };
    found.retain(|(path, _)| is_product(path));
    assert!(found.len() > 150, "{} files", found.len());
    found
}

/// The `src` folders below.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let own = folder.join("src");
    if own.is_dir() {
        return vec![own];
    }
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.join("src")).filter(|path| path.is_dir()).collect()
}

#[test]
fn no_type_holds_a_secret_as_plain_text() {
    let sounds = r"(?m)^\s+(?:pub(?:\([a-z]+\))? )?([a-z_]*(?:secret|password|private_key|token|api_key|credential)[a-z_]*|key|iv|uri|url): (String|Vec<u8>|Option<String>|\[u8; \d+\]|HeaderValue),";
    let field = Regex::new(sounds).unwrap();
    let mut plain = Vec::new();
    for (path, text) in sources() {
        for found in field.captures_iter(&text) {
            let (name, kind) = (&found[1], &found[2]);
            if !NO_SECRETS.iter().any(|(known, _)| *known == name) && !is_known(&path, name) {
                plain.push(format!("{}: {name}: {kind}", path.display()));
            }
        }
    }
    assert!(plain.is_empty(), "wipe it when dropped, and hide it from Debug:\n{}", plain.join("\n"));
}

/// Names that are too common to be passed over everywhere: in which file they stand for no secret.
fn is_known(path: &Path, name: &str) -> bool {
    let known = [
        // What an answer repeats of the request.
        ("http/src/context.rs", "url"),
        ("http/src/addressing.rs", "url"),
        // The name of a setting.
        ("esoz/src/config/load.rs", "key"),
        // A digest of an idempotency key, which is no secret.
        ("kernel/src/idempotency.rs", "key"),
        // The client's own address of a server that it asks for its health.
        ("esoz/src/cli/args.rs", "url"),
    ];
    known.iter().any(|(file, field)| path.ends_with(file) && *field == name)
}

#[test]
fn no_secret_is_compared_in_another_way() {
    // The one comparison is `SecretDigest`'s, which is `subtle`'s; a secret itself has none.
    let compared = Regex::new(r"expose\(\)\s*(?:==|!=)|(?:==|!=)\s*&?\w+(?:\.\w+)*\.expose\(\)|digest(?:\(\))?\.bytes\(\)\s*(?:==|!=)").unwrap();
    let mut found = Vec::new();
    for (path, text) in sources() {
        found
            .extend(compared.find_iter(&text).map(|found| format!("{}: {}", path.display(), found.as_str())));
    }
    assert!(found.is_empty(), "compare digests (`Secret::digest`):\n{}", found.join("\n"));
    let (_, secret) = sources().into_iter().find(|(path, _)| path.ends_with("auth/src/secret.rs")).unwrap();
    assert!(!secret.contains("PartialEq for Secret ") && secret.contains("self.ct_eq(other).into()"));
    let derived = Regex::new(r"#\[derive\(([^)]*)\)\]\npub struct Secret(?:Digest)?\(").unwrap();
    assert_eq!(derived.captures_iter(&secret).count(), 2);
    for derived in derived.captures_iter(&secret) {
        assert!(!derived[1].contains("PartialEq") && !derived[1].contains("Debug"), "{}", &derived[1]);
    }
}
