//! The suites of events: where they wait, how they are published, and where they are kept.

/// Runs the contract suites of `Outbox`. Takes the name of an `async fn() -> esoz_testkit::contract::OutboxUnderTest` that makes an outbox of
/// its own for every call.
#[macro_export]
macro_rules! outbox_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => outbox:
            an_empty_outbox_has_nothing,
            events_of_an_entity_come_in_the_order_of_their_commits,
            the_longest_waiting_entities_come_first,
            the_limit_counts_entities_not_events,
            removed_events_are_forgotten,
            removing_some_events_of_an_entity_leaves_the_others,
            an_emptied_entity_is_free,
            an_event_between_claim_and_remove_stays,
            the_backlog_counts_what_waits,
        }
        $crate::contract_cases! { $fresh => outbox_claims:
            a_claim_keeps_others_away_until_its_lease_ends,
            a_relay_gets_its_own_again,
            an_ended_claim_is_not_taken_back,
            released_events_are_free_at_once,
            a_claim_covers_later_events_of_its_entities,
            concurrent_claims_are_disjoint_and_complete,
            concurrent_relays_drain_the_outbox,
            a_claim_from_before_a_clock_was_set_back_is_void,
            entities_to_pass_over_are_passed_over,
        }
        $crate::contract_cases! { $fresh => outbox_set_aside:
            a_refused_event_is_set_aside_and_named,
            an_unreadable_event_is_set_aside_and_named,
            what_is_set_aside_holds_up_only_its_entity,
            earlier_events_go_before_an_unreadable_one,
            a_head_full_of_what_cannot_be_delivered_is_passed,
            later_events_wait_behind_a_set_aside_one,
            a_retried_event_is_handed_out_again_in_its_place,
            retrying_in_vain_sets_it_aside_again,
            a_dropped_event_lets_the_later_ones_go,
            dropping_or_retrying_what_is_not_set_aside_does_nothing,
            a_refused_event_that_is_gone_is_passed_over,
        }
    };
}

/// Runs the contract suite of `EventPublisher`. Takes the name of an
/// `async fn() -> esoz_testkit::contract::PublisherUnderTest` that makes a topic of its own for every call.
#[macro_export]
macro_rules! publisher_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => publisher:
            no_events_are_no_messages,
            an_event_becomes_one_message,
            an_untraced_event_has_no_traceparent,
            events_of_many_entities_are_all_delivered,
            an_event_can_be_published_again,
            messages_of_one_key_keep_their_order,
        }
    };
}

/// Runs the contract suite of `EventLog`. Takes the name of an `async fn() -> esoz_testkit::contract::EventLogUnderTest` that makes a log of its
/// own for every call.
#[macro_export]
macro_rules! event_log_contract {
    ($fresh:path) => {
        $crate::contract_cases! { $fresh => event_log:
            an_empty_log_has_nothing,
            an_event_is_found_as_it_was_stored,
            an_event_is_stored_once,
            concurrent_calls_store_an_event_once,
            a_period_has_its_begin_and_not_its_end,
            a_list_holds_what_meets_every_filter,
            an_attribute_is_a_literal_key_with_the_text_of_its_value,
            pages_are_in_order_and_complete,
            the_nth_newest_is_counted_from_the_end,
            what_is_before_a_position_is_removed_in_steps,
            what_cannot_be_read_is_an_error_in_its_place,
            what_cannot_be_read_is_removed_like_any_other_event,
        }
    };
}
