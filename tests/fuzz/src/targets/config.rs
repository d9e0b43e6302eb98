//! The configuration: a file, and after a line `---` the variables of an environment.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStringExt as _;

use esoz::Config;
use tempfile::NamedTempFile;
use toml::{Table, Value};

use super::Target;
use crate::secrecy::CANARY;

/// See [`Target::about`].
pub(super) const CONFIG: Target = Target {
    name: "config",
    about: "a configuration file and an environment: no secret is told, whatever is wrong, and what is taken is whole",
    run,
    seeds,
};

/// The keys whose values nobody is told.
const SECRET: [&str; 6] = [
    "postgres.url",
    "postgres.migration_url",
    "mongodb.uri",
    "patient.key",
    "patient.iv",
    "auth.client_secret",
];

thread_local! {
    static FILE: RefCell<NamedTempFile> = RefCell::new(NamedTempFile::new().expect("a temporary file"));
}

fn run(data: &[u8]) {
    // A key that names a file has it read: what never ends must not be named here.
    if [&b"/dev"[..], b"/proc"].iter().any(|place| data.windows(place.len()).any(|part| part == *place)) {
        return;
    }
    let cut = data.windows(5).position(|part| part == b"\n---\n");
    let (file, environment) = cut.map_or((data, &[][..]), |cut| (&data[..cut], &data[cut + 5..]));
    let variables = environment.split(|byte| *byte == b'\n').filter_map(|line| {
        let equals = line.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some((text(&line[..equals]), text(&line[equals + 1..])))
    });
    let variables: Vec<(OsString, OsString)> = variables.collect();
    let config = FILE.with_borrow_mut(|written| {
        written.as_file().set_len(0).expect("a file");
        written.as_file_mut().seek(SeekFrom::Start(0)).expect("a file");
        written.write_all(file).expect("a file");
        Config::from_sources(Some(written.path()), variables.iter().cloned())
    });
    let told = match &config {
        Ok(config) => format!("{config:?}"),
        Err(error) => format!("{error:#} {error:?}"),
    };
    if only_secret(file, &variables) {
        assert!(!told.contains(CANARY), "this tells a secret: {told}");
    }
    match config {
        Ok(_) => {
            let text = str::from_utf8(file).expect("only text is taken");
            assert!(text.parse::<Table>().is_ok(), "only TOML is taken");
        }
        Err(error) => assert!(!format!("{error:#}").trim().is_empty(), "a refusal says why"),
    }
}

/// Whether the canary stands nowhere but in values that nobody is told.
fn only_secret(file: &[u8], variables: &[(OsString, OsString)]) -> bool {
    let Some(Ok(mut table)) = str::from_utf8(file).ok().map(str::parse::<Table>) else { return false };
    for key in SECRET {
        let (section, key) = key.split_once('.').expect("a section");
        if let Some(Value::Table(keys)) = table.get_mut(section) {
            keys.remove(key);
        }
    }
    let names = SECRET.map(|key| format!("ESOZ_{}", key.to_ascii_uppercase().replace('.', "__")));
    let is_secret = |name: &OsString| names.iter().any(|secret| name.to_str() == Some(secret));
    let elsewhere = variables.iter().filter(|(name, _)| !is_secret(name));
    // A comment is not told either, but a fault quotes no line.
    !table.to_string().contains(CANARY)
        && elsewhere
            .flat_map(|(name, value)| [name, value])
            .all(|text| !text.to_string_lossy().contains(CANARY))
}

fn seeds() -> Vec<Vec<u8>> {
    let example = include_str!("../../../../docs/esoz.example.toml");
    // The example is larger than an input may be: a section at a time, without what is said about it.
    let bare: Vec<&str> = example.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let sections = bare.join("\n");
    let mut seeds: Vec<Vec<u8>> = sections
        .split("\n[")
        .map(|section| format!("[{}\n", section.trim_start_matches('[')).into_bytes())
        .collect();
    seeds.push(sections.clone().into_bytes());
    seeds.extend(
        [
            "[store]\nkind = \"servers\"\n[postgres]\nurl = \"postgres://u:canary-7f3a@h/db\"\n[mongodb]\nuri = \"mongodb://u:canary-7f3a@h\"\n[kafka]\nbrokers = [\"h:1\"]\n",
            "[patient]\nkey = \"canary-7f3a\"\nkey_file = \"x\"\niv = \"canary-7f3a\"\n",
            "[patient]\nkey = \"canary-7f3a\n",
            "[patient]\nkey = [\"canary-7f3a\"]\n",
            "[auth]\ntokens = \"introspection\"\nurl = \"https://i.example\"\nclient_id = \"esoz\"\nclient_secret = \"canary-7f3a\"\n",
            "\n---\nESOZ_PATIENT__KEY=canary-7f3a\nESOZ_HTTP__BIND=0.0.0.0:80\nESOZ_KAFKA__BROKERS=[\"a:1\", \"b:2\"]\nESOZ_HTTP__WORKERS= 3 ",
            "\n---\nESOZ_POSTGRES__URL=canary-7f3a\nESOZ_STORE__KIND=servers\nESOZ_LOG__LEVEL=loud\nESOZ_X__Y=1\nPATH=/",
            "[htp]\nbind = 1\n---\nesoz_http__bind=x",
        ]
        .map(|text| text.as_bytes().to_vec()),
    );
    seeds
}
