//! The suite of administrative registries.

/// Runs the contract suite of `Registries` and of `Registry` for every record. Takes the name of an
/// `async fn() -> esoz_testkit::contract::RegistryStore` that makes a store of its own for every call.
#[macro_export]
macro_rules! registry_store_contract {
    ($fresh:path) => {
        mod lookups {
            use super::*;

            $crate::registry_lookup_contract!($fresh);
        }

        $crate::contract_cases! { $fresh => registries:
            a_person_takes_new_content,
            a_party_takes_new_content,
            an_employee_takes_new_content,
            a_medical_program_takes_new_content,
            a_device_definition_takes_new_content,
            a_program_device_takes_new_content,
            a_number_written_otherwise_is_no_change,
            an_employee_of_nothing_is_refused,
            a_program_device_of_nothing_is_refused,
            a_refused_update_changes_nothing,
            a_bad_record_among_many_is_refused_alone,
            a_record_that_comes_again_in_a_call_takes_the_last_content,
            users_come_and_go_with_the_content_of_their_party,
            a_user_moves_when_the_other_party_gives_it_up,
            a_user_of_two_parties_is_refused,
            scans_of_nothing_are_empty,
            pages_are_in_order_and_complete,
            a_scan_goes_on_while_records_are_loaded,
            numbers_survive_to_the_digit,
        }
    };
}

/// Runs the contract suite of `Registries` alone, for an adapter that only looks up. Takes the name of an
/// `async fn() -> esoz_testkit::contract::RegistryStore`, whose records are those that its `registries` find.
#[macro_export]
macro_rules! registry_lookup_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => registries:
            a_party_is_found_by_each_of_its_users,
            a_party_may_have_no_taxpayer_number,
            facts_of_nothing,
            facts_of_everything,
            each_fact_can_be_absent_alone,
            definitions_are_told_once,
            a_location_is_the_division_as_it_is,
            new_content_is_told_at_once,
            devices_are_those_that_the_choice_includes,
            a_device_is_found_whatever_its_period,
        }
    };
}
