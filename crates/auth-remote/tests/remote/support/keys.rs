//! Keys that sign tokens, and tokens that can be wrong in one way.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaPublicKeyComponents,
    },
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};

use super::{AUDIENCE, CLIENT, ISSUER, NOW, Reply, SCOPE, USER};

const RSA_A: &str = include_str!("../fixtures/test-only-rsa-2048-a.pem");
const RSA_B: &str = include_str!("../fixtures/test-only-rsa-2048-b.pem");

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(&'static str, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A signing key with a name.
pub(crate) struct Key {
    pub(crate) kid: &'static str,
    alg: &'static str,
    pair: Pair,
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    pub(crate) fn ed25519(kid: &'static str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self { kid, alg: "EdDSA", pair: Pair::Ed25519(pair) }
    }

    fn ecdsa(kid: &'static str, alg: &'static str, algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let crv = if alg == "ES256" { "P-256" } else { "P-384" };
        Self { kid, alg, pair: Pair::Ecdsa(crv, pair) }
    }

    pub(crate) fn es256(kid: &'static str) -> Self {
        Self::ecdsa(kid, "ES256", &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    pub(crate) fn es384(kid: &'static str) -> Self {
        Self::ecdsa(kid, "ES384", &ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    /// One of two RSA keys that come with the tests, signing by that algorithm.
    pub(crate) fn rsa(kid: &'static str, alg: &'static str) -> Self {
        let pem = if kid == "b" { RSA_B } else { RSA_A };
        let document = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let pair = RsaKeyPair::from_pkcs8(document.secret_pkcs8_der()).unwrap();
        Self { kid, alg, pair: Pair::Rsa(Box::new(pair)) }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Ecdsa(_, pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match self.alg {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    other => panic!("{other}"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// What its issuer publishes of it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key())}),
            Pair::Ecdsa(crv, pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({"kty": "EC", "crv": crv, "x": base64(x), "y": base64(y)})
            }
            Pair::Rsa(pair) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "n": base64(public.n), "e": base64(public.e)})
            }
        };
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// A good token of this key.
    pub(crate) fn token(&self) -> String {
        self.sign_token(&Token::new(self))
    }

    pub(crate) fn sign_token(&self, token: &Token) -> String {
        let signed = token.unsigned();
        format!("{signed}.{}", base64(self.sign(signed.as_bytes())))
    }
}

/// The answer of a server that publishes these keys.
pub(crate) fn published(keys: &[&Key]) -> Reply {
    published_jwks(keys.iter().map(|key| key.jwk()).collect())
}

pub(crate) fn published_jwks(keys: Vec<Value>) -> Reply {
    Reply::ok(json!({ "keys": keys }))
}

/// A token before it is signed: a good one, unless it is changed.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Token {
    pub(crate) fn new(key: &Key) -> Self {
        Self {
            header: json!({"typ": "at+jwt", "alg": key.alg, "kid": key.kid}),
            claims: json!({
                "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60, "iat": NOW, "nbf": NOW, "jti": "1",
                "sub": USER, "client_id": CLIENT, "scope": SCOPE,
            }),
        }
    }

    /// With that member in the header; `null` takes it out.
    pub(crate) fn header(mut self, member: &str, value: impl Into<Value>) -> Self {
        change(&mut self.header, member, value.into());
        self
    }

    /// With that claim; `null` takes it out.
    pub(crate) fn claim(mut self, member: &str, value: impl Into<Value>) -> Self {
        change(&mut self.claims, member, value.into());
        self
    }

    pub(crate) fn unsigned(&self) -> String {
        format!("{}.{}", base64(self.header.to_string()), base64(self.claims.to_string()))
    }
}

fn change(object: &mut Value, member: &str, value: Value) {
    if value.is_null() {
        object.as_object_mut().unwrap().remove(member);
    } else {
        object[member] = value;
    }
}
