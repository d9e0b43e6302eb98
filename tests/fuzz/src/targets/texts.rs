//! The small texts of headers, paths and settings.

use esoz_auth::Scope;
use esoz_device_dispense::DispenseStatus;
use esoz_device_dispense::PatientPseudonyms as _;
use esoz_kernel::{DispenseId, IdempotencyKey, PatientId, RequestId, TraceContext};
use esoz_pseudonym::{Aes128CbcPseudonyms, HmacSha256Pseudonyms};

use super::{Target, seeds};
use crate::json::is_uuid;
use crate::secrecy::assert_keeps_quiet;

/// See [`Target::about`].
pub(super) const TEXTS: Target = Target {
    name: "texts",
    about: "request ids, idempotency keys, `traceparent`, UUIDs, scopes, statuses: each by a model, each there and back",
    run,
    seeds: || {
        seeds([
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-00",
            "aff00bf6-68bf-4b49-b66d-f031d48922b3",
            "AFF00BF6-68BF-4B49-B66D-F031D48922B3",
            "{aff00bf6-68bf-4b49-b66d-f031d48922b3}",
            "device_dispense:stop private_contracts:write",
            " a:read\tdevice_dispense:stop\u{a0}b",
            "in_progress",
            "entered_in_error",
        ])
    },
};

fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let is_visible = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let request_id = RequestId::parse(text);
    assert_eq!(request_id.is_some(), is_visible && (20..=200).contains(&text.len()));
    assert!(request_id.is_none_or(|id| id.as_str() == text && id.to_string() == text));
    let key = IdempotencyKey::parse(text);
    assert_eq!(key.is_some(), is_visible && (1..=255).contains(&text.len()));
    assert!(key.is_none_or(|key| key.as_str() == text && format!("{key:?}") == "IdempotencyKey(…)"));
    ids(text);
    trace_context(text);
    scope(text);
    if let Ok(status) = text.parse::<DispenseStatus>() {
        assert_eq!(status.as_str(), text);
        assert!(DispenseStatus::ALL.contains(&status));
    }
}

fn ids(text: &str) {
    let (dispense, patient) = (text.parse::<DispenseId>(), text.parse::<PatientId>());
    assert_eq!(dispense.is_ok(), is_uuid(text));
    assert_eq!(patient.is_ok(), is_uuid(text));
    if let (Ok(dispense), Ok(patient)) = (dispense, patient) {
        assert_eq!(dispense.to_string(), text.to_ascii_lowercase());
        assert_eq!(format!("{patient:?}"), "PatientId(…)");
    }
}

fn trace_context(text: &str) {
    let bytes = text.as_bytes();
    let is_hex = |range: std::ops::Range<usize>| {
        bytes[range].iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
    };
    let is_zero = |range: std::ops::Range<usize>| bytes[range].iter().all(|byte| *byte == b'0');
    let is_one = bytes.len() >= 55
        && [2, 35, 52].iter().all(|at| bytes[*at] == b'-')
        && [0..2, 3..35, 36..52, 53..55].into_iter().all(is_hex)
        && !is_zero(3..35)
        && !is_zero(36..52)
        && &bytes[..2] != b"ff"
        && (bytes.len() == 55 || (&bytes[..2] != b"00" && bytes[55] == b'-'));
    let context = TraceContext::parse(text);
    assert_eq!(context.is_some(), is_one, "{text:?}");
    if let Some(context) = context {
        let rendered = context.to_string();
        assert_eq!(TraceContext::parse(&rendered), Some(context));
        assert_eq!(rendered[2..53], text[2..53]);
        assert!(rendered.starts_with("00-") && (rendered.ends_with("-00") || rendered.ends_with("-01")));
    }
}

fn scope(text: &str) {
    let scope = Scope::parse(text);
    for allowance in ["device_dispense:stop", "private_contracts:write"] {
        assert_eq!(scope.allows(allowance), text.split(' ').any(|word| word == allowance));
    }
    let rendered = scope.to_string();
    assert_eq!(Scope::parse(&rendered), scope);
    assert_eq!(Scope::parse(&rendered).to_string(), rendered);
}

/// See [`Target::about`].
pub(super) const PATIENT_KEYS: Target = Target {
    name: "patient_keys",
    about: "the secrets of both pseudonym schemes: refused without being told, or of use",
    run: patient_keys,
    seeds: || {
        seeds([
            "a secret that only fuzz targets know\n",
            "canary-7f3a\ncanary-7f3a",
            "0123456789abcdef\nfedcba9876543210",
            "0123456789abcde\u{456}\n",
        ])
    },
};

fn patient_keys(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (key, iv) = text.split_once('\n').unwrap_or((text, ""));
    let patients = ["aff00bf6-68bf-4b49-b66d-f031d48922b3", "aff00bf6-68bf-4b49-b66d-f031d48922b4"];
    let patients = patients.map(|patient| patient.parse::<PatientId>().expect("a UUID"));
    match HmacSha256Pseudonyms::try_new(key) {
        Ok(scheme) => {
            let [one, other] = patients.map(|patient| scheme.of(patient));
            assert_eq!(one.expose().len(), 64);
            assert_ne!(one, other);
            assert_eq!(one, HmacSha256Pseudonyms::try_new(key).expect("the same key").of(patients[0]));
        }
        Err(error) => assert_keeps_quiet(&format!("{error} {error:?}")),
    }
    let scheme = Aes128CbcPseudonyms::try_new(key, iv);
    assert_eq!(scheme.is_ok(), key.len() == 16 && iv.len() == 16);
    match scheme {
        Ok(scheme) => {
            let [one, other] = patients.map(|patient| scheme.of(patient));
            assert!(one.expose().bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)));
            assert_ne!(one, other);
        }
        Err(error) => assert_keeps_quiet(&format!("{error} {error:?}")),
    }
}
