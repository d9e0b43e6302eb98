//! The suites of stores.

/// Runs the contract suites of `DeviceDispenses`, `DispenseRegistry` and `IdempotencyRecords`. Takes the name of an
/// `async fn() -> esoz_testkit::contract::DispenseStore` that makes a store of its own for every call.
#[macro_export]
macro_rules! dispense_store_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => dispenses:
            an_unknown_dispense_is_none,
            a_dispense_is_found_as_it_was_put,
            a_sparse_dispense_is_found_as_it_was_put,
            free_text_survives_to_the_letter,
            numbers_survive_to_the_digit,
            the_ends_of_time_are_found_as_they_were_put,
            putting_again_keeps_what_is_there,
            putting_again_never_undoes_a_change,
            each_of_many_dispenses_has_its_answer,
            a_stored_canceled_is_read_as_cancelled,
            a_status_outside_the_model_is_corrupt,
            what_rules_read_is_no_array,
            what_is_nested_deep_is_shown,
        }
        $crate::contract_cases! { $fresh => dispense_lists:
            a_list_of_nothing_is_empty,
            entries_are_as_they_were_put,
            owner_and_subject_narrow_a_list,
            every_search_parameter_finds_what_has_the_value,
            ids_are_found_however_they_are_stored,
            every_search_parameter_must_be_met,
            a_status_is_found_in_both_spellings,
            bounds_are_included,
            the_ends_of_time_are_within_bounds,
            pages_are_in_order_and_complete,
            what_cannot_be_read_is_an_error_in_its_place,
        }
        $crate::contract_cases! { $fresh => dispense_finds:
            each_of_many_gets_its_own,
        }
        $crate::contract_cases! { $fresh => dispense_scans:
            a_scan_of_nothing_is_empty,
            pages_are_in_order_and_complete,
            a_record_is_whole,
            what_cannot_be_read_is_an_error_in_its_place,
            a_scan_goes_on_while_dispenses_change,
        }
        $crate::contract_cases! { $fresh => dispense_changes:
            a_change_sets_its_fields_and_no_other,
            a_change_follows_a_change,
            a_missing_history_begins_with_the_change,
            an_applied_change_puts_its_event_into_the_outbox,
            an_untraced_event_waits_like_any_other,
            a_stored_canceled_can_be_changed_as_cancelled,
            a_change_may_be_of_any_owner_and_subject,
            a_stale_change_does_nothing,
            a_change_applies_once,
            of_concurrent_changes_one_is_applied,
            each_of_a_crowd_is_told_its_own_outcome,
            dispenses_do_not_disturb_each_other,
        }
        $crate::contract_cases! { $fresh => dispense_expiry:
            overdue_is_what_was_recorded_before,
            what_is_not_in_progress_is_not_overdue,
            overdue_dispenses_come_in_order,
            what_cannot_be_read_is_passed_over,
            a_change_applies_to_what_was_recorded_before,
        }
        $crate::contract_cases! { $fresh => dispense_keys:
            a_repetition_gets_the_first_answer,
            the_first_answer_outlives_the_next_change,
            a_repetition_is_not_answered_when_the_dispense_is_somebody_elses,
            a_key_is_for_one_request,
            clients_and_operations_do_not_share_keys,
            a_stale_change_keeps_no_key,
            a_change_without_a_key_keeps_none,
            concurrent_repetitions_have_one_effect_and_one_answer,
            of_two_dispenses_under_one_key_one_is_changed,
            a_day_later_a_key_is_free,
            old_keys_are_forgotten_step_by_step,
        }
    };
}

/// Runs the contract suites of `ContractDivisions`, `ContractRegistry`, `LegalEntities`, `LegalEntityRegistry` and `IdempotencyRecords`. Takes the
/// name of an `async fn() -> esoz_testkit::contract::ContractStore` that makes a store of its own for every call.
#[macro_export]
macro_rules! contract_store_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => contract_divisions:
            facts_of_nothing,
            facts_of_everything,
            facts_of_what_is_inactive,
            facts_read_is_active_and_no_status,
            a_pair_is_taken_by_another_active_record_only,
            a_list_of_nothing_is_empty,
            a_list_holds_what_meets_every_filter,
            a_list_holds_what_is_visible,
            pages_are_in_order_and_complete,
            an_update_sets_four_columns,
            an_update_to_the_same_pair_is_an_update,
            a_record_from_the_ends_of_time_is_updated,
            a_pair_that_was_left_is_free,
            a_record_can_move_to_another_legal_entity,
            an_inactive_record_holds_no_pair,
            only_the_facts_of_the_rules_matter,
            an_update_is_refused_when_what_it_rests_on_has_moved,
            an_update_applies_when_the_facts_allow_it_again,
            an_update_is_refused_when_what_it_names_is_not_there,
            an_update_of_an_inactive_record_is_refused,
            the_current_contract_is_the_one_at_the_time_of_writing,
            what_was_just_loaded_can_be_used,
            a_record_that_was_not_there_is_inserted,
            a_write_without_a_pair_reads_the_record_alone,
            an_insertion_is_audited_whole,
            an_update_is_audited_with_what_it_changed,
            an_update_to_the_same_pair_is_audited,
            a_refused_update_is_not_audited,
            without_its_audit_row_there_is_no_update,
            concurrent_updates_of_one_record_are_all_applied,
            of_two_records_to_one_pair_one_is_applied,
            records_that_swap_their_pairs_never_share_one,
            a_concurrent_deactivation_comes_before_or_after,
            concurrent_updates_of_many_records_are_all_applied,
            each_of_many_has_its_own_outcome,
            a_deactivation_comes_before_or_after_each_of_many,
            who_goes_away_takes_nobody_along,
            a_repeated_update_gets_the_first_answer,
            the_first_answer_outlives_what_it_rested_on,
            an_updates_key_is_for_one_request,
            clients_and_operations_do_not_share_keys,
            a_refused_update_keeps_no_key,
            an_update_without_a_key_keeps_none,
            without_its_audit_row_there_is_no_key,
            concurrent_repetitions_have_one_effect_and_one_answer,
            of_two_records_under_one_key_one_is_updated,
            a_day_later_a_key_is_free,
            old_keys_are_forgotten_step_by_step,
            a_created_record_is_stored_and_audited_whole,
            a_create_is_refused_by_what_its_pair_names,
            a_pair_is_created_once,
            without_its_audit_row_there_is_no_create,
            a_delete_sets_three_columns,
            a_delete_looks_at_the_record_and_the_type_of_its_contract,
            a_deleted_record_is_gone_and_its_pair_is_free,
            a_repeated_create_gets_the_first_answer,
            a_repeated_delete_gets_the_first_answer,
            of_concurrent_creates_of_one_pair_one_is_applied,
            concurrent_repetitions_of_a_create_make_one_record,
            of_concurrent_deletes_one_is_applied,
            a_concurrent_create_of_a_deleted_pair_comes_before_or_after,
            an_update_never_follows_a_concurrent_delete,
            a_deactivation_comes_before_or_after_a_create,
            writes_of_every_kind_are_applied_at_once,
        }
        $crate::contract_cases! { $fresh => contract_registry:
            a_division_takes_new_content,
            a_contract_takes_new_content,
            a_contract_division_stays_as_it_is,
            what_belongs_to_no_legal_entity_is_refused,
            a_refused_update_changes_nothing,
            a_contract_division_of_nothing_is_refused,
            a_second_active_record_with_a_pair_is_refused,
            a_bad_record_among_many_is_refused_alone,
            a_record_that_comes_again_in_a_call_takes_the_last_content,
            a_contract_division_that_comes_again_in_a_call_stays_as_it_is,
            a_whole_file_is_loaded_and_loaded_again,
        }
        $crate::contract_cases! { $fresh => contract_scans:
            scans_of_nothing_are_empty,
            pages_are_in_order_and_complete,
            a_scan_goes_on_while_records_are_loaded,
            a_snapshot_has_each_active_pair_once,
        }
        $crate::contract_cases! { $fresh => legal_entities:
            an_unknown_legal_entity_is_none,
            a_legal_entity_is_found_as_it_was_put,
            an_inactive_row_is_found,
            a_legal_entity_takes_new_content,
            the_first_writing_stays_on_record,
            each_record_of_a_call_has_its_answer,
        }
    };
}

/// Runs the contract suite of `AccessTokens`, `ApiKeys`, `Blocks` and `Credentials`. Takes the name of an
/// `async fn() -> esoz_testkit::contract::CredentialStore` that makes a store of its own for every call.
#[macro_export]
macro_rules! credential_store_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => credentials:
            an_unknown_secret_is_none,
            a_token_is_found_as_it_was_added,
            a_token_lives_until_the_end_of_time,
            an_api_key_is_found_as_it_was_added,
            users_and_clients_have_several_credentials,
            adding_again_changes_nothing,
            a_revoked_token_is_revoked,
            a_revoked_api_key_is_revoked,
            a_block_of_a_user_is_on_all_their_tokens,
            a_block_of_a_client_is_on_all_its_tokens_and_keys,
            who_is_not_known_can_be_blocked,
            a_block_is_found_without_any_token,
        }
        $crate::contract_cases! { $fresh => credential_lists:
            tokens_and_keys_have_a_list_each,
            the_newest_come_first,
            those_of_one_time_keep_their_order,
            a_user_and_a_client_narrow_a_list,
            a_list_has_what_is_not_valid_as_well,
            a_digest_is_found_by_its_beginning,
            users_and_clients_are_listed_with_their_state,
        }
    };
}

/// Runs the contract suite of `MediaStorage`. Takes the name of an `async fn() -> esoz_testkit::contract::MediaStorageUnderTest` that makes a storage
/// of its own for every call.
#[macro_export]
macro_rules! media_storage_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => media_storage:
            a_container_is_read_byte_for_byte,
            an_unknown_container_is_none,
            a_taken_key_is_not_overwritten,
            a_deleted_container_is_gone,
            deleting_twice_is_no_error,
            containers_of_one_dispense_are_kept_apart,
            a_list_of_nothing_is_empty,
            a_list_is_in_ascending_order,
            pages_are_in_order_and_complete,
            a_list_has_its_day_alone,
            a_list_begins_behind_a_key_of_any_day,
            foreign_names_are_passed_over,
            of_concurrent_puts_of_one_key_one_is_stored,
            concurrent_puts_of_many_are_all_stored,
        }
    };
}

/// Runs the contract suite of `PseudonymFingerprints`. Takes the name of an `async fn() -> esoz_testkit::contract::FingerprintsUnderTest` that makes a
/// store of its own for every call.
#[macro_export]
macro_rules! fingerprints_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => pseudonym_fingerprints:
            nothing_is_recorded_at_first,
            the_first_fingerprint_stays,
            of_concurrent_first_fingerprints_one_is_recorded,
            a_fingerprint_takes_the_place_of_another,
            what_cannot_be_read_is_corrupt,
        }
    };
}
