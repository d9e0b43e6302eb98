use serde_json::json;

use super::*;

/// Signatures that others made: the RFCs' own, and another implementation's for the rest of the algorithms.
const SIGNATURES: &str = include_str!("../../tests/remote/fixtures/signatures.json");

#[derive(Deserialize)]
struct Case {
    by: String,
    alg: String,
    jwk: Value,
    signed: String,
    signature: String,
}

impl Case {
    fn all() -> Vec<Self> {
        serde_json::from_str(SIGNATURES).unwrap()
    }

    fn of(algorithm: Algorithm) -> Self {
        Self::all().into_iter().find(|case| case.alg == algorithm.as_str()).unwrap()
    }

    fn jwk_with(&self, member: &str, value: impl Into<Value>) -> Value {
        let mut jwk = self.jwk.clone();
        jwk[member] = value.into();
        jwk
    }

    fn signature(&self) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(&self.signature).unwrap()
    }
}

fn set(keys: Value) -> (KeySet, usize) {
    serde_json::from_value::<Published>(json!({ "keys": keys })).unwrap().usable()
}

#[test]
fn signatures_of_others_are_good_with_their_algorithm_alone() {
    for case in Case::all() {
        let right: Algorithm = case.alg.parse().unwrap();
        let key = Key::read(case.jwk.clone()).unwrap();
        for algorithm in Algorithm::ALL {
            let good = key.verifies(algorithm, case.signed.as_bytes(), &case.signature());
            assert_eq!(good, algorithm == right, "{} of {} as {algorithm}", case.alg, case.by);
        }
        assert!(!key.verifies(right, b"another message", &case.signature()), "{}", case.alg);
        assert!(!key.verifies(right, case.signed.as_bytes(), b""), "{}", case.alg);
        let mut spoiled = case.signature();
        spoiled[7] ^= 1;
        assert!(!key.verifies(right, case.signed.as_bytes(), &spoiled), "{}", case.alg);
    }
    for algorithm in Algorithm::ALL {
        Case::of(algorithm);
    }
}

#[test]
fn a_key_is_for_what_its_issuer_says() {
    for case in Case::all() {
        let right: Algorithm = case.alg.parse().unwrap();
        assert!(Key::read(case.jwk_with("alg", case.alg.as_str())).unwrap().fits(right));
        assert!(Key::read(case.jwk_with("use", "sig")).is_some());
        assert!(Key::read(case.jwk_with("key_ops", json!(["verify"]))).is_some());
        for unfit in [
            case.jwk_with("use", "enc"),
            case.jwk_with("key_ops", json!(["encrypt"])),
            case.jwk_with("key_ops", json!([])),
            case.jwk_with("alg", "RSA-OAEP"),
            case.jwk_with("alg", "HS256"),
            case.jwk_with("alg", "none"),
            case.jwk_with("kty", "oct"),
            case.jwk_with("kid", 7),
        ] {
            assert!(Key::read(unfit).is_none(), "{}", case.alg);
        }
    }
    let rsa = Case::of(Algorithm::Rs256);
    let only_pss = Key::read(rsa.jwk_with("alg", "PS256")).unwrap();
    assert!(only_pss.fits(Algorithm::Ps256) && !only_pss.fits(Algorithm::Rs256));
    assert!(Key::read(rsa.jwk_with("alg", "ES256")).is_none());
    assert!(Key::read(Case::of(Algorithm::Es256).jwk_with("alg", "ES384")).is_none());
}

#[test]
fn a_key_that_is_misshapen_or_weak_is_none() {
    let [rsa, p256, p384, ed25519] =
        [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa].map(Case::of);
    for unfit in [
        json!(null),
        json!("RSA"),
        json!({}),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        rsa.jwk_with("n", Value::Null),
        rsa.jwk_with("n", "not base64!"),
        rsa.jwk_with("e", ""),
        p256.jwk_with("crv", "P-384"),
        p256.jwk_with("crv", "P-521"),
        p256.jwk_with("crv", "secp256k1"),
        p256.jwk_with("y", Value::Null),
        p384.jwk_with("crv", "P-256"),
        ed25519.jwk_with("crv", "X25519"),
        ed25519.jwk_with("x", "c2hvcnQ"),
    ] {
        let usable = Key::read(unfit.clone())
            .is_some_and(|key| key.verifies(Algorithm::Rs256, rsa.signed.as_bytes(), &rsa.signature()));
        assert!(!usable, "{unfit}");
    }
}

#[test]
fn rsa_keys_have_at_least_2048_bits() {
    let with_bits = |bytes: &[u8]| {
        Key::read(json!({"kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode(bytes), "e": "AQAB"})).is_some()
    };
    let mut modulus = vec![0xff; 256];
    assert!(with_bits(&modulus));
    assert!(with_bits(&[vec![0, 0], modulus.clone()].concat()), "leading zeros");
    modulus[0] = 0x7f;
    assert!(!with_bits(&modulus), "2047 bits");
    assert!(!with_bits(&[vec![0], modulus].concat()), "2047 bits in 257 bytes");
    assert!(!with_bits(&[0xff; 128]) && !with_bits(&[]));
}

#[test]
fn a_key_that_is_not_understood_does_not_spoil_the_others() {
    let good = Case::of(Algorithm::Es256).jwk_with("kid", "good");
    let (keys, ignored) = set(json!([{"kty": "new"}, 5, good]));
    assert!(keys.knows("good") && !keys.knows("new") && !keys.is_empty());
    assert_eq!(ignored, 2);
}

#[test]
fn a_token_is_checked_with_the_one_key_it_names() {
    let [a, b] = [Case::of(Algorithm::Es256), Case::of(Algorithm::Rs256)];
    let (one, _) = set(json!([a.jwk]));
    assert!(one.signer(None, Algorithm::Es256).is_some(), "no choice");
    assert!(
        one.signer(None, Algorithm::Rs256).is_none() && one.signer(Some("a"), Algorithm::Es256).is_none()
    );
    let (two, _) = set(json!([a.jwk_with("kid", "a"), b.jwk_with("kid", "b")]));
    assert!(
        two.signer(Some("a"), Algorithm::Es256).is_some()
            && two.signer(Some("b"), Algorithm::Ps256).is_some()
    );
    assert!(two.signer(Some("a"), Algorithm::Rs256).is_none(), "another kind");
    assert!(two.signer(None, Algorithm::Es256).is_none(), "no name");
    assert!(
        two.signer(Some(""), Algorithm::Es256).is_none() && two.signer(Some("A"), Algorithm::Es256).is_none()
    );
    let (namesakes, _) = set(json!([a.jwk_with("kid", "x"), b.jwk_with("kid", "x")]));
    assert!(namesakes.signer(Some("x"), Algorithm::Es256).is_some(), "the algorithm tells them apart");
}

#[test]
fn a_key_that_is_published_several_times_is_one_key() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let case = Case::of(algorithm);
        let (named, bare) = (case.jwk_with("kid", "x"), &case.jwk);
        let with_alg = {
            let mut jwk = named.clone();
            jwk["alg"] = case.alg.as_str().into();
            jwk
        };
        for twins in [json!([named, named]), json!([named, with_alg]), json!([with_alg, named, named])] {
            let (keys, _) = set(twins.clone());
            for kid in [Some("x"), None] {
                let key = keys.signer(kid, algorithm).unwrap_or_else(|| panic!("{kid:?} in {twins}"));
                assert!(key.verifies(algorithm, case.signed.as_bytes(), &case.signature()));
            }
            assert!(keys.signer(Some("y"), algorithm).is_none() && !keys.is_ambiguous());
        }
        let (keys, _) = set(json!([bare, bare, named]));
        assert!(keys.signer(None, algorithm).is_some() && keys.signer(Some("x"), algorithm).is_some());
    }
}

#[test]
fn different_keys_under_one_name_are_told_of() {
    let [rsa, p256, other] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es256].map(Case::of);
    let (x, y) = (&p256.jwk["x"], &p256.jwk["y"]);
    // No point of the curve, but another key.
    let mut other = other.jwk_with("x", y.clone());
    other["y"] = x.clone();
    other["kid"] = "x".into();
    let (keys, _) = set(json!([p256.jwk_with("kid", "x"), other]));
    assert!(keys.signer(Some("x"), Algorithm::Es256).is_none() && keys.is_ambiguous());
    let (keys, _) = set(json!([p256.jwk_with("kid", "x"), rsa.jwk_with("kid", "x"), other["nothing"]]));
    assert!(!keys.is_ambiguous(), "the algorithm tells them apart");
}
