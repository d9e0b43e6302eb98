//! Merges the sources of the configuration, and refuses unknown keys and values of a wrong type.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use esoz_tls::read_file;
use toml::{Table, Value};

use super::schema::Sections;

/// The prefix of the environment variables.
const PREFIX: &str = "ESOZ_";
/// Separates section and key in a variable.
const SEPARATOR: &str = "__";

/// The source of every key that is not at its default, as errors name it.
#[derive(Debug, Default)]
pub(crate) struct Sources(BTreeMap<String, String>);

impl Sources {
    pub(crate) fn of(&self, key: &str) -> &str {
        self.0.get(key).map_or("the default", String::as_str)
    }
}

/// Merges the defaults, the file and the environment; the later source wins.
pub(crate) fn merged(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Sections, Sources)> {
    let defaults = Table::try_from(Sections::default()).context("the defaults of the configuration")?;
    let mut layers = Layers { table: defaults, sources: Sources::default() };
    if let Some(path) = file {
        layers.add_file(path)?;
    }
    for (name, value) in environment {
        layers.add_variable(&name, value)?;
    }
    let sections = layers.table.try_into().context("the configuration")?;
    Ok((sections, layers.sources))
}

struct Layers {
    table: Table,
    sources: Sources,
}

impl Layers {
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
                bail!(
                    "`{section}` in {source} is outside a section; the sections are {}",
                    self.section_names().join(", ")
                );
            };
            for (key, value) in content {
                self.set(&section, &key, &source, |known| typed(known, value))?;
            }
        }
        Ok(())
    }

    fn add_variable(&mut self, name: &OsString, value: OsString) -> Result<()> {
        let Some(name) = name.to_str() else { return Ok(()) };
        let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once(SEPARATOR))
        else {
            return Ok(());
        };
        let source = format!("the environment variable {name}");
        let text = value.into_string().map_err(|_| anyhow!("{source} is not valid UTF-8"))?;
        self.set(&section.to_ascii_lowercase(), &key.to_ascii_lowercase(), &source, |known| {
            parsed(known, text)
        })
    }

    fn set(
        &mut self,
        section: &str,
        key: &str,
        source: &str,
        read: impl FnOnce(&Value) -> Result<Value>,
    ) -> Result<()> {
        let sections = self.section_names();
        let Some(Value::Table(keys)) = self.table.get_mut(section) else {
            bail!(
                "unknown section `{section}` in {source}{}; the sections are {}",
                suggestion(section, &sections),
                sections.join(", ")
            );
        };
        let names: Vec<String> = keys.keys().cloned().collect();
        let Some(slot) = keys.get_mut(key) else {
            let (hint, names) = (suggestion(key, &names), names.join(", "));
            bail!("unknown key `{section}.{key}` in {source}{hint}; the keys of this section are {names}");
        };
        *slot = read(slot).with_context(|| format!("`{section}.{key}` in {source}"))?;
        self.sources.0.insert(format!("{section}.{key}"), source.to_owned());
        Ok(())
    }

    fn section_names(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }
}

/// The least similarity of a name that is suggested for an unknown one, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.8;

/// Suggests the most similar known name, if one is similar enough.
fn suggestion(name: &str, known: &[String]) -> String {
    let similar = known.iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let best = similar.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .map(|(_, best)| format!(" (did you mean `{best}`?)"))
        .unwrap_or_default()
}

/// Accepts a value of the file that has the type of the default.
fn typed(known: &Value, value: Value) -> Result<Value> {
    let fits = match (known, &value) {
        (Value::Integer(_), Value::Integer(number)) => *number >= 0,
        (Value::Array(_), Value::Array(items)) => items.iter().all(Value::is_str),
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
        Value::Array(_) if text.trim_start().starts_with('[') => match text.trim().parse() {
            Ok(list) => typed(known, list),
            // The parser's own message would quote the text.
            Err(_) => Err(anyhow!("must be {}", kind(known))),
        },
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Ok(Value::String(text)),
    }
}

/// Describes the type of the default in an error.
fn kind(known: &Value) -> &'static str {
    match known {
        Value::Integer(_) => "a whole number that is not negative",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list of texts (in a variable: with commas between)",
        _ => "a text",
    }
}
