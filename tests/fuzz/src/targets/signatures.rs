//! Signed containers, and what a service says about them.

use std::sync::{Arc, LazyLock};

use esoz_kernel::Timestamp;
use esoz_signature_cms::{CmsSettings, CmsVerifier, certificates_in};
use esoz_signature_service::fuzzing;
use esoz_signed_content::Drfo;
use esoz_testkit::clock::ManualClock;
use serde_json::Value;

use super::{Target, seeds};
use crate::json::has_twice;
use crate::secrecy::assert_keeps_quiet;

/// See [`Target::about`].
pub(super) const CONTAINER: Target = Target {
    name: "signed_container",
    about: "a signed container (CMS): nothing is valid that none of the keys of an authority has signed",
    run: container,
    seeds: || SIGNED.map(<[u8]>::to_vec).into(),
};

/// See [`Target::about`].
pub(super) const ANSWERS: Target = Target {
    name: "signature_answers",
    about: "the answers of a service that judges signed containers: valid is what it says plainly",
    run: answers,
    seeds: || {
        seeds([
            r#"{"data":{"content":{"id":"canary-7f3a"},"signatures":[{"is_valid":true,"signer":{"drfo":"canary-7f3a","edrpou":"canary-7f3a"}}]}}"#,
            r#"{"data":{"content":{"amount":10.00,"x":[]},"signatures":[{"is_valid":false,"validation_error_message":"canary-7f3a","signer":{"drfo":null}},{"is_valid":true}]}}"#,
            r#"{"data":{"content":null,"signatures":[]},"meta":{"code":200}}"#,
            r#"{"data":{"content":1e400,"signatures":[{"is_valid":"canary-7f3a"}]}}"#,
            "canary-7f3a",
        ])
    },
};

/// What the keys of an authority have signed, which nobody has any more; see `crates/signature-cms/tests/cms/fixtures/make.sh`.
const SIGNED: [&[u8]; 4] = [
    include_bytes!("../../../../crates/signature-cms/tests/cms/fixtures/rsa-pss.der"),
    include_bytes!("../../../../crates/signature-cms/tests/cms/fixtures/p256-no-attributes.der"),
    include_bytes!("../../../../crates/signature-cms/tests/cms/fixtures/p384-intermediate.der"),
    include_bytes!("../../../../crates/signature-cms/tests/cms/fixtures/two-signers.der"),
];

const AUTHORITY: &[u8] = include_bytes!("../../../../crates/signature-cms/tests/cms/fixtures/root.pem");

/// The only content that was signed, and the signer of it.
const CONTENT: &[u8] = br#"{"id":"a"}"#;
const DRFO: &str = "1234567890";

const NOW: i64 = 1_800_000_000;

static VERIFIER: LazyLock<CmsVerifier> = LazyLock::new(|| {
    let authorities = certificates_in(AUTHORITY).expect("a certificate");
    let settings = CmsSettings { authorities, ..CmsSettings::default() };
    let clock = ManualClock::new(Timestamp::from_second(NOW).expect("a time"));
    CmsVerifier::try_new(&settings, Arc::new(clock)).expect("good settings")
});

fn container(data: &[u8]) {
    let Ok(judged) = VERIFIER.judge(data) else { return };
    for signer in judged.signers.iter().filter(|signer| signer.verdict.is_ok()) {
        assert_eq!(judged.content, CONTENT, "nobody has signed this");
        assert_eq!(signer.drfo.as_ref().map(Drfo::expose), Some(DRFO), "it was somebody else");
    }
}

fn answers(data: &[u8]) {
    let judged = match fuzzing::answer(data) {
        Err(error) => return assert_keeps_quiet(&format!("{} {error:?}", error.with_causes())),
        Ok(judged) => judged.expect("a container: the status says so"),
    };
    assert_keeps_quiet(&format!("{judged:?}"));
    let text = str::from_utf8(data).expect("JSON is UTF-8");
    if has_twice(text) {
        // Of members that nobody asks for, any may stand twice.
        return;
    }
    // A number like 1e400 is content that can be signed, and that no reader of JSON holds.
    let Ok(body) = serde_json::from_str::<Value>(text) else { return };
    let content = body.pointer("/data/content").filter(|content| !content.is_null());
    assert_eq!(serde_json::from_slice::<Value>(&judged.content).ok().as_ref(), content);
    let signatures = body.pointer("/data/signatures").and_then(Value::as_array).expect("a list");
    assert_eq!(judged.signers.len(), signatures.len());
    for (signer, signature) in judged.signers.iter().zip(signatures) {
        assert_eq!(Some(signer.verdict.is_ok()), signature.get("is_valid").and_then(Value::as_bool));
        let drfo = signature.pointer("/signer/drfo").and_then(Value::as_str).and_then(Drfo::parse);
        assert_eq!(signer.drfo, drfo);
    }
}
