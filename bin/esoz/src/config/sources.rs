//! Merges the sources of the configuration, and refuses unknown keys and values of a wrong type.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use esoz_https::Proxies;
use esoz_import::suggestion;
use esoz_kernel::SecretString;
use esoz_tls::read_file;
use hyper::Uri;
use toml::{Table, Value};

use super::schema::Sections;
use super::variables::{self, Variable};

/// The key of an address to listen on. A port alone may be given as a number.
const BIND: &str = "bind";

/// The source of every key that is not at its default, as errors name it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(BTreeMap<String, String>);

impl Sources {
    pub(crate) fn of(&self, key: &str) -> &str {
        self.0.get(key).map_or("the default", String::as_str)
    }
}

/// The merged sources, with what is wrong with them.
pub(crate) struct Merged {
    pub(crate) sections: Sections,
    pub(crate) sources: Sources,
    /// The proxies on the way to servers elsewhere.
    pub(crate) proxies: Proxies,
    /// Variables that begin as ours do and resemble no key.
    pub(crate) ignored_variables: Vec<String>,
    pub(crate) problems: Vec<String>,
    /// The keys whose values were refused; none if the file was not read, so that nothing can be said about the values.
    pub(crate) refused_keys: Option<BTreeSet<String>>,
}

/// Merges the defaults, the standard variables of OpenTelemetry, the file and our own variables; the later source wins.
pub(crate) fn merged(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Merged> {
    let table = Table::try_from(Sections::default()).context("the defaults of the configuration")?;
    let mut layers = Layers { table, ..Layers::default() };
    // Sorted by name alone, so that of two names of one proxy the one in lower case, as curl knows it, comes last and wins, and so does the last of one
    // name.
    let mut environment: Vec<_> = environment.collect();
    environment.sort_by(|(one, _), (other, _)| one.cmp(other));
    #[cfg(feature = "otlp")]
    layers.add_opentelemetry(&environment);
    let read = file.map_or(Ok(()), |path| layers.add_file(path));
    let refused_keys = read.is_ok();
    layers.problems.extend(read.err().map(|error| format!("{error:#}")));
    for (name, value) in environment {
        if let Some(name) = name.to_str() {
            layers.add_variable(name, value);
        }
    }
    let Layers { table, sources, proxies, ignored_variables, problems, refused } = layers;
    let sections = table.try_into().context("the configuration")?;
    let refused_keys = refused_keys.then_some(refused);
    Ok(Merged { sections, sources, proxies, ignored_variables, problems, refused_keys })
}

#[derive(Default)]
struct Layers {
    table: Table,
    sources: Sources,
    proxies: Proxies,
    ignored_variables: Vec<String>,
    problems: Vec<String>,
    refused: BTreeSet<String>,
}

impl Layers {
    /// Takes what the standard variables of OpenTelemetry say. In builds without the export they are ignored: they may be meant for others.
    #[cfg(feature = "otlp")]
    fn add_opentelemetry(&mut self, environment: &[(OsString, OsString)]) {
        let variables =
            environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
        for (key, variable, text) in super::opentelemetry::settings(&variables.collect()) {
            let source = format!("the environment variable {variable}");
            self.set("tracing", key, &source, |known| parsed(known, text?));
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let unreadable = || format!("the configuration file {} cannot be read", path.display());
        let bytes = read_file(path).with_context(unreadable)?;
        let text = str::from_utf8(&bytes).with_context(unreadable)?;
        // The parser's own message would quote the line, which may hold a secret.
        let table: Table = toml::from_str(text).map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .map_or(0, |span| text.get(..span.start).map_or(0, |head| head.matches('\n').count() + 1));
            anyhow!("{}, line {line}: {}", path.display(), error.message())
        })?;
        let source = path.display().to_string();
        for (section, content) in table {
            let Value::Table(content) = content else {
                let sections = self.section_names().join(", ");
                self.problems.push(format!(
                    "`{section}` in {source} is outside a section; the sections are {sections}"
                ));
                continue;
            };
            for (key, value) in content {
                self.set(&section, &key, &source, |known| typed(&key, known, value));
            }
        }
        Ok(())
    }

    fn add_variable(&mut self, name: &str, value: OsString) {
        let source = format!("the environment variable {name}");
        match variables::classify(name) {
            Variable::Key { section, key } => match value.into_string() {
                Ok(text) => self.set(&section, &key, &source, |known| parsed(known, text)),
                Err(_) => self.refuse(&section, &key, format!("{source} is not valid UTF-8")),
            },
            Variable::Misspelt(meant) => {
                let hint = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
                let problem = format!(
                    "unknown environment variable {name}{hint}; a key is set by ESOZ_<SECTION>__<KEY>, in upper case"
                );
                self.problems.push(problem);
            }
            Variable::Unknown => self.ignored_variables.push(name.to_owned()),
            Variable::Proxy => self.add_proxy(name, &value),
            Variable::Foreign => {}
        }
    }

    /// Takes one of the variables that other programs know as well. An empty one says nothing.
    fn add_proxy(&mut self, name: &str, value: &OsStr) {
        let Some(text) = value.to_str() else {
            return self.problems.push(format!("the environment variable {name} is not valid UTF-8"));
        };
        let (proxies, upper) = (&mut self.proxies, name.to_ascii_uppercase());
        let is_proxy = |text: &str| {
            let uri: Result<Uri, _> = text.parse();
            uri.is_ok_and(|uri| uri.authority().is_some() && matches!(uri.scheme_str(), None | Some("http")))
        };
        match upper.as_str() {
            _ if text.is_empty() => {}
            "NO_PROXY" => text.clone_into(&mut proxies.no),
            _ if !is_proxy(text) => self.problems.push(format!(
                "the environment variable {name} must be the address of a proxy, such as http://proxy.example:3128"
            )),
            "HTTPS_PROXY" => proxies.https = SecretString::new(text),
            _ => proxies.http = SecretString::new(text),
        }
    }

    /// Sets a key, or records why it cannot be set.
    fn set(&mut self, section: &str, key: &str, source: &str, read: impl FnOnce(&Value) -> Result<Value>) {
        let Some(Value::Table(keys)) = self.table.get_mut(section) else {
            return self.refuse_section(section, source);
        };
        let names: Vec<String> = keys.keys().cloned().collect();
        let Some(slot) = keys.get_mut(key) else {
            let (hint, names) = (suggestion(key, names.iter().map(String::as_str)), names.join(", "));
            let problem = format!(
                "unknown key `{section}.{key}` in {source}{hint}; the keys of this section are {names}"
            );
            return self.refuse(section, key, problem);
        };
        match read(slot) {
            Ok(value) => {
                *slot = value;
                let key = format!("{section}.{key}");
                self.sources.0.insert(key, source.to_owned());
            }
            Err(error) => self.refuse(section, key, format!("`{section}.{key}` in {source}: {error:#}")),
        }
    }

    fn refuse(&mut self, section: &str, key: &str, problem: String) {
        self.refused.insert(format!("{section}.{key}"));
        self.problems.push(problem);
    }

    fn refuse_section(&mut self, section: &str, source: &str) {
        let sections = self.section_names();
        let problem = format!(
            "unknown section `{section}` in {source}{}; the sections are {}",
            suggestion(section, sections.iter().map(String::as_str)),
            sections.join(", ")
        );
        // Told once, however many keys it has.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn section_names(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }
}

/// Accepts a value of the file that has the type of the default.
fn typed(key: &str, known: &Value, value: Value) -> Result<Value> {
    if let (BIND, Value::Integer(port)) = (key, &value) {
        return Ok(Value::String(port.to_string()));
    }
    let fits = match (known, &value) {
        (Value::Integer(_), Value::Integer(number)) => *number >= 0,
        (Value::Array(_), Value::Array(items)) => items.iter().all(Value::is_str),
        (Value::Table(_), Value::Table(items)) => {
            items.values().all(|item| item.is_str() || item.is_integer() || item.is_bool())
        }
        (known, value) => known.same_type(value),
    };
    if fits { Ok(value) } else { Err(anyhow!("must be {}", kind(known))) }
}

/// Parses the text of a variable as the type of the default.
fn parsed(known: &Value, text: String) -> Result<Value> {
    match known {
        Value::Integer(_) => {
            let number = text.trim().parse::<u32>().map_err(|_| anyhow!("must be {}", kind(known)))?;
            Ok(Value::Integer(i64::from(number)))
        }
        Value::Boolean(_) => {
            let is_so = text.trim().parse().map_err(|_| anyhow!("must be {}", kind(known)))?;
            Ok(Value::Boolean(is_so))
        }
        Value::Array(_) | Value::Table(_) if text.trim_start().starts_with(['[', '{']) => {
            match text.trim().parse() {
                Ok(items) => typed("", known, items),
                // The parser's own message would quote the text.
                Err(_) => Err(anyhow!("must be {}", kind(known))),
            }
        }
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        Value::Table(_) => Err(anyhow!("must be {}", kind(known))),
        _ => Ok(Value::String(text)),
    }
}

/// Describes the type of the default in an error.
fn kind(known: &Value) -> &'static str {
    match known {
        Value::Integer(_) => "a whole number that is not negative",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list of texts (in a variable: with commas between)",
        Value::Table(_) => {
            "a table of texts, numbers and truth values (in a variable: { \"name\" = \"value\" })"
        }
        _ => "a text",
    }
}
