//! Which environment variables set a key, and what is done with names that look like one.

use super::schema::Sections;

/// The prefix of the environment variables.
const PREFIX: &str = "ESOZ_";
/// Separates section and key in a variable.
const SEPARATOR: &str = "__";
/// Names the configuration file.
pub(crate) const CONFIG_FILE: &str = "ESOZ_CONFIG";
/// The prefix of the variables of this project's tests.
const TESTS_PREFIX: &str = "ESOZ_TEST_";
/// The variables that name proxies, as other programs know them, in upper or lower case.
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
/// The most letters in which a misspelt name differs from the one that it was meant to be.
const MAX_DISTANCE: usize = 2;

/// What a variable of the environment is to the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// Sets this key of this section, if they exist.
    Key { section: String, key: String },
    /// Is probably meant to be a key; with the name that it should have, if it resembles one.
    Misspelt(Option<String>),
    /// Begins as ours do, and resembles none of them.
    Unknown,
    /// Names a proxy, or who is reached without one.
    Proxy,
    /// Has nothing to do with the configuration.
    Foreign,
}

/// The name of the variable that sets a key, `section.key`.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replacen('.', SEPARATOR, 1))
}

/// Classifies a variable by its name.
pub(super) fn classify(name: &str) -> Variable {
    let upper = name.to_ascii_uppercase();
    if PROXIES.contains(&upper.as_str()) {
        return Variable::Proxy;
    }
    if name == CONFIG_FILE || name.starts_with(TESTS_PREFIX) {
        return Variable::Foreign;
    }
    let Some(rest) = upper.strip_prefix(PREFIX) else { return Variable::Foreign };
    let parts = rest.split_once(SEPARATOR);
    if let (true, Some((section, key))) = (name == upper, parts) {
        let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
        return Variable::Key { section, key };
    }
    match nearest(&upper) {
        None if parts.is_none() && name.starts_with(PREFIX) => Variable::Unknown,
        None if parts.is_none() => Variable::Foreign,
        nearest => Variable::Misspelt(nearest),
    }
}

/// The name that resembles this one most, whatever its underscores.
fn nearest(name: &str) -> Option<String> {
    let keys = Sections::key_names().into_iter().map(variable_of);
    let known = keys.chain([CONFIG_FILE.to_owned()]);
    let distance = |known: &str| strsim::damerau_levenshtein(&letters(name), &letters(known));
    let nearest = known.map(|known| (distance(&known), known)).min()?;
    (nearest.0 <= MAX_DISTANCE).then_some(nearest.1)
}

fn letters(name: &str) -> String {
    name.replace('_', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_resembles_a_key_is_taken_for_misspelt_and_no_other() {
        let bind = || Some("ESOZ_HTTP__BIND".to_owned());
        for (name, expected) in [
            ("ESOZ_HTTP_BIND", bind()),
            ("esoz_http__bind", bind()),
            ("ESOZ_Http__Bind", bind()),
            ("ESOZ_HTTP_BNID", bind()),
            ("ESOZ_POSTGRES_URI", Some("ESOZ_POSTGRES__URL".to_owned())),
            ("ESOZ_CONF", Some("ESOZ_CONFIG".to_owned())),
            ("esoz_elephant__trunk", None),
        ] {
            assert_eq!(classify(name), Variable::Misspelt(expected), "{name}");
        }
        // Names that Kubernetes makes of services, and that scripts like.
        for name in [
            "ESOZ_SERVICE_HOST",
            "ESOZ_HTTP_PORT",
            "ESOZ_PORT_8080_TCP_ADDR",
            "ESOZ_TOKEN",
            "ESOZ_BASE",
            "ESOZ_HOME",
        ] {
            assert_eq!(classify(name), Variable::Unknown, "{name}");
        }
        for name in
            ["ESOZ_CONFIG", "ESOZ_TEST_POSTGRES_URL", "HTTP__BIND", "MY_ESOZ_HTTP__BIND", "esoz_home", "PATH"]
        {
            assert_eq!(classify(name), Variable::Foreign, "{name}");
        }
        let key = Variable::Key { section: "http".to_owned(), key: "bnd".to_owned() };
        assert_eq!(classify("ESOZ_HTTP__BND"), key);
    }
}
