//! The bodies of creates and completes.

use std::ops::Range;

use anyhow::Result;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use esoz_kernel::Uuid;
use esoz_signature_cms::sign::{SignOptions, TestSigner, sign};
use serde_json::json;

use crate::ids::{Numbered, id, shuffled};
use crate::job::{CompleteWork, CreateWork, ID, REQUEST};

fn filled(template: &str, dispense: Uuid, request: u64) -> String {
    let request = id(Numbered::Request, request).to_string();
    template.replace(ID, &dispense.to_string()).replace(REQUEST, &request)
}

/// The body of the create whose turn it is.
pub(super) fn create(work: &CreateWork, turn: u64) -> String {
    let request = work.base + shuffled(turn, work.requests);
    filled(&work.body, id(Numbered::Created, work.base + turn), request)
}

/// The bodies of the completes of these turns. Each is signed by itself, which takes longer than it may while requests are sent.
pub(super) fn completes(work: &CompleteWork, turns: Range<u64>) -> Result<Vec<String>> {
    let signer = TestSigner::from_pem(&work.certificates, &work.key)?;
    turns
        .map(|turn| {
            let dispense = work.dispenses.dispense(turn);
            let content = filled(&work.content, dispense, work.dispenses.number(turn));
            let container = sign(content.as_bytes(), &[&signer], SignOptions::default())?;
            Ok(json!({"signed_data": BASE64_STANDARD.encode(container)}).to_string())
        })
        .collect()
}
