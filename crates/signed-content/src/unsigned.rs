use async_trait::async_trait;
use esoz_kernel::StoreError;

use crate::{Container, Drfo, SignatureVerifier, Signer};

/// Takes a document that nobody has signed for one that a person of the configuration has signed. For demos only: whoever has a token acts as that
/// person.
pub struct UnsignedDocuments {
    signer: Signer,
}

impl UnsignedDocuments {
    /// Creates the adapter; `drfo` is the taxpayer number of that person.
    pub const fn new(drfo: Option<Drfo>) -> Self {
        Self { signer: Signer { verdict: Ok(()), drfo, edrpou: None } }
    }
}

#[async_trait]
impl SignatureVerifier for UnsignedDocuments {
    async fn verify(&self, document: &[u8]) -> Result<Result<Container, &'static str>, StoreError> {
        Ok(Ok(Container { content: document.to_vec(), signers: vec![self.signer.clone()] }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signed_by_one;

    #[test]
    fn given_any_document_then_the_configured_person_has_signed_it() {
        for drfo in [None, Drfo::parse("1234567890")] {
            let verifier = UnsignedDocuments::new(drfo.clone());
            let found = pollster::block_on(verifier.verify(br#"{"id":"a"}"#)).unwrap();
            let (content, signer) = signed_by_one(found).unwrap();
            assert_eq!((content.as_slice(), signer.drfo), (&br#"{"id":"a"}"#[..], drfo));
        }
    }
}
