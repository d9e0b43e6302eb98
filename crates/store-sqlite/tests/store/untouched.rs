//! Whatever others have written beside what ESOZ knows: a change leaves its very text, and in its place.

use std::slice;

use diesel::sql_types::Text;
use diesel::{RunQueryDsl as _, sql_query};
use esoz_device_dispense::{DeviceDispenses as _, DispenseRegistry as _, DispenseStatus};
use esoz_kernel::Committed;
use esoz_testkit::builders::{at_millis, change_of, dispense};
use esoz_testkit::drawn::runner;
use proptest::prelude::*;

use crate::common::fresh;
use crate::{ask, shell};

/// Few, for each needs a round trip or more; `PROPTEST_CASES` says otherwise.
const CASES: u32 = 48;

/// Texts of JSON as nobody would write them who could help it.
fn jsons() -> impl Strategy<Value = String> {
    let odd = [
        "null",
        "true",
        "0",
        "-0",
        "1.500",
        "-1E-7",
        "12345678901234567890123",
        "0.1e+1",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\\/\"",
        "\"\"",
        "{}",
        "[]",
    ];
    let text = any::<String>().prop_map(|text| serde_json::Value::from(text).to_string());
    let leaf =
        prop_oneof![2 => prop::sample::select(odd.to_vec()).prop_map(str::to_owned), 1 => text.clone()];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        let fields = prop::collection::vec((text.clone(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            fields.prop_map(|fields| {
                let fields: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}:{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// All but what a change of status may touch.
const UNTOUCHED: &str =
    "SELECT json_remove(document, '$.status', '$.status_history', '$.updated_at', '$.updated_by') AS answer
    FROM device_dispenses WHERE id = ";

#[test]
fn a_change_leaves_every_other_character_as_it_is() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fresh = fresh();
    let fields = prop::collection::vec(("[a-z_]{1,6}", jsons()), 0..5);
    let played = runner(CASES, file!()).run(&fields, |fields| {
        let before = dispense().build();
        let mut shell = shell(&fresh.settings.path);
        runtime.block_on(fresh.store.put_dispenses(slice::from_ref(&before))).unwrap();
        for (name, value) in &fields {
            let set = "UPDATE device_dispenses SET document = json_set(document, ?, json(?)) WHERE id = ?";
            let set = sql_query(set).bind::<Text, _>(format!("$.x_{name}")).bind::<Text, _>(value);
            set.bind::<Text, _>(before.id.to_string()).execute(&mut shell).unwrap();
        }
        let untouched = format!("{UNTOUCHED}'{}'", before.id);
        let was = ask(&mut shell, &untouched);
        let change = change_of(&before, DispenseStatus::Stopped, at_millis(1));
        let changed = runtime.block_on(fresh.store.commit(&change)).unwrap();
        prop_assert!(matches!(changed, Committed::Applied(_)), "{:?}", changed);
        prop_assert_eq!(ask(&mut shell, &untouched), was);
        Ok(())
    });
    if let Err(found) = played {
        panic!("{found}");
    }
}
