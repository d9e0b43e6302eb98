//! Scopes, against a model of them: what stands between spaces, no more and no less.

use esoz_auth::{ApiKeyHolder, Caller, CallerKind, Operation, Principal, Scope, authorize};
use esoz_kernel::{ClientId, StoreError, UserId, Uuid};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn kept() -> ProptestConfig {
    let regressions = Box::new(FileFailurePersistence::WithSource("regressions"));
    ProptestConfig { failure_persistence: Some(regressions), ..ProptestConfig::default() }
}

/// What methods ask for, in these tests.
const ALLOWANCES: [&str; 4] = ["device_dispense:stop", "private_contracts:write", "a:b", "b"];

/// The words of a text, character by character.
fn model(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for char in text.chars() {
        if char == ' ' {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(char);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Scopes: allowances, parts of allowances, and whatever else there is, with whatever white space between, of which only the space separates.
fn scopes() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        3 => prop::sample::select(ALLOWANCES.as_slice()).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["device_dispense:", ":stop", "DEVICE_DISPENSE:STOP", "*", "*:*", ","]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let space = prop::sample::select(vec!["", " ", "  ", "\t", "\n", "\u{a0}", "\u{2003}", ","]);
    prop::collection::vec((word, space), 0..8)
        .prop_map(|parts| parts.into_iter().map(|(word, space)| word + space).collect())
}

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn a_scope_holds_what_stands_in_it_as_a_word_and_nothing_else(text in scopes()) {
        let (scope, words) = (Scope::parse(&text), model(&text));
        for allowance in ALLOWANCES {
            prop_assert_eq!(scope.allows(allowance), words.iter().any(|word| word == allowance), "{:?}", text);
        }
    }

    #[test]
    fn a_scope_that_was_written_is_read_back(text in scopes()) {
        let scope = Scope::parse(&text);
        let written = scope.to_string();
        let mut words = model(&text);
        words.sort();
        words.dedup();
        prop_assert_eq!(&written, &words.join(" "));
        prop_assert_eq!(Scope::parse(&written), scope);
    }

    #[test]
    fn the_scopes_of_token_and_api_key_must_both_allow_an_operation(token in scopes(), key in scopes()) {
        let allows = |text: &str| model(text).iter().any(|word| word == Write::SCOPE);
        let client_id = ClientId::new(Uuid::nil());
        let caller = Caller {
            principal: Principal { user_id: UserId::new(Uuid::nil()), client_id, scope: Scope::parse(&token) },
            api_key: Some(ApiKeyHolder { client_id, scope: Scope::parse(&key) }),
        };
        prop_assert_eq!(authorize::<Write>(&caller).is_ok(), allows(&token) && allows(&key));
    }
}

/// An operation that asks for both scopes.
struct Write;

impl Operation for Write {
    const NAME: &'static str = "write";
    const SCOPE: &'static str = "a:b";
    const CALLER: CallerKind = CallerKind::UserWithApiKey;
    type Error = StoreError;
}
