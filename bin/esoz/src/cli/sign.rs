//! Signs a document with a key made for tests: what a client of the service does with the key of its user.

use std::fs;
use std::io::{Read as _, Write as _, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use esoz_kernel::system::SystemClock;
use esoz_kernel::{Clock as _, Timestamp};
use esoz_signature_cms::sign::{NumbersIn, Period, Person, TestAuthority, TestSigner};
use esoz_signed_content::Drfo;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::args::SignArgs;
use super::print;

/// The file with the certificate of the authority, which a server is told to trust.
pub(crate) const AUTHORITY: &str = "authority.pem";
const SIGNER: &str = "signer.pem";
const SIGNER_KEY: &str = "signer.key";

/// How long certificates are valid.
const VALIDITY: SignedDuration = SignedDuration::from_hours(24 * 365);

/// Reads a document from standard input, signs it, and prints the body of a request.
pub(crate) fn run(args: &SignArgs) -> Result<()> {
    let now = SystemClock.now();
    let signer = signer(&args.folder, args.drfo.as_deref(), now)?;
    let mut text = String::new();
    stdin().read_to_string(&mut text).context("reading the document from standard input")?;
    let document = document(&text, args.set.as_deref())?;
    let container = signer.sign(document.to_string().as_bytes(), now).context("signing the document")?;
    print(&json!({"signed_data": BASE64_STANDARD.encode(container)}).to_string())
}

/// The document to sign: the JSON object, of an answer of the server its data, with the fields that are set.
fn document(text: &str, set: Option<&str>) -> Result<Value> {
    let object = |text: &str, what: &str| match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => bail!("{what} is no JSON object"),
        Err(error) => bail!("{what} is no JSON: {error}"),
    };
    let mut fields: Map<String, Value> = object(text, "the document on standard input")?;
    if fields.contains_key("meta") {
        match fields.remove("data") {
            Some(Value::Object(data)) => fields = data,
            _ => bail!("the document on standard input is an answer without data: was the request refused?"),
        }
    }
    if let Some(set) = set {
        fields.extend(object(set, "--set")?);
    }
    Ok(Value::Object(fields))
}

/// The signer of the folder. Made with its authority, if the folder has none and it is said whose number to write into the certificate.
pub(crate) fn signer(folder: &Path, drfo: Option<&str>, now: Timestamp) -> Result<TestSigner> {
    let [authority, certificate, key] = [AUTHORITY, SIGNER, SIGNER_KEY].map(|name| folder.join(name));
    if !key.exists() {
        if authority.exists() && !certificate.exists() {
            bail!(
                "{} has an authority and no signer: a new signer needs a folder of its own",
                folder.display()
            );
        }
        let Some(drfo) = drfo else {
            bail!(
                "{} has no signer; make one with --drfo, the taxpayer number of the user (tax_id of the party)",
                folder.display()
            );
        };
        make(&[&authority, &certificate, &key], drfo, now)?;
    }
    let read =
        |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let signer = TestSigner::from_pem(&read(&certificate)?, &read(&key)?)
        .with_context(|| format!("using {}", key.display()))?;
    let is_other = |drfo: &str| signer.drfo() != Drfo::parse(drfo);
    if drfo.is_some_and(is_other) {
        bail!(
            "{} has a signer with another taxpayer number: name another folder for that of --drfo",
            folder.display()
        );
    }
    Ok(signer)
}

fn make([authority, certificate, key]: &[&PathBuf; 3], drfo: &str, now: Timestamp) -> Result<()> {
    let period = Period {
        from: now.saturating_sub(SignedDuration::from_hours(24)),
        until: now.saturating_add(VALIDITY),
    };
    let made = TestAuthority::new("esoz test authority", period).context("making an authority")?;
    let person = Person {
        name: "Test signer".to_owned(),
        drfo: Some(drfo.to_owned()),
        edrpou: None,
        numbers_in: NumbersIn::Subject,
    };
    let signer = made.signer(&person, period).context("making a signer")?;
    write(certificate, &signer.certificates_pem()?)?;
    write(authority, &made.certificate_pem()?)?;
    // Last, for it tells that all is there.
    write(key, &signer.key_pem())
}

/// Writes a file that its owner alone may read. It appears whole or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path)?;
        anyhow::Ok(())
    };
    written().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_server_is_signed_as_its_data_with_what_is_set() {
        let answer = r#"{"meta": {"code": 200}, "data": {"status": "in_progress", "id": "x"}}"#;
        let signed = document(answer, Some(r#"{"status": "completed", "payment_amount": 1.5}"#)).unwrap();
        assert_eq!(signed, json!({"id": "x", "payment_amount": 1.5, "status": "completed"}));
        assert_eq!(document(r#"{"a": 1}"#, None).unwrap(), json!({"a": 1}));
    }

    #[test]
    fn what_is_no_document_is_told() {
        for (text, set, expected) in [
            ("", None, "the document on standard input is no JSON"),
            ("[]", None, "the document on standard input is no JSON object"),
            (r#"{"meta": {}, "error": {}}"#, None, "without data"),
            ("{}", Some("status"), "--set is no JSON"),
        ] {
            let error = document(text, set).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_authority_of_others_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join(AUTHORITY);
        fs::write(&authority, "theirs").unwrap();
        let now = "2026-01-31T08:15:30Z".parse().unwrap();
        let refused = signer(folder.path(), Some("1234567890"), now).err().unwrap().to_string();
        assert!(refused.contains("a folder of its own"), "{refused}");
        assert_eq!(fs::read_to_string(&authority).unwrap(), "theirs");
    }

    #[test]
    fn a_signer_is_made_once_and_its_key_is_its_owners() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let now = "2026-01-31T08:15:30Z".parse().unwrap();
        let refused = signer(folder.path(), None, now).err().unwrap().to_string();
        assert!(refused.contains("--drfo"), "{refused}");
        let first = signer(folder.path(), Some("1234567890"), now).unwrap();
        for same in [Some("1234567890"), Some(" 12345 67890"), None] {
            let again = signer(folder.path(), same, now).unwrap();
            assert_eq!(first.certificate(), again.certificate());
        }
        let refused = signer(folder.path(), Some("0987654321"), now).err().unwrap().to_string();
        assert!(refused.contains("another taxpayer number") && !refused.contains("0987654321"), "{refused}");
        let mode = fs::metadata(folder.path().join(SIGNER_KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
