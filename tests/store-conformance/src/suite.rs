//! Every case by its name: one that is not listed here is not run by any backend.

/// Makes a `#[tokio::test]` of every case. The argument is a future of the store and of something to keep alive with it.
#[macro_export]
macro_rules! suite {
    ($store:expr) => {
        $crate::cases! { @one $store;
            access {
                tenant_names_are_unique,
                api_tokens_are_found_by_their_id_alone,
                api_token_names_are_free_again_after_revocation,
                api_tokens_come_in_pages_oldest_first,
                the_use_of_an_api_token_is_noted_once_a_day,
                audit_numbers_have_no_gaps_and_start_at_one_in_each_tenant,
                cursors_of_another_list_are_refused,
            }
            audit {
                a_change_brings_its_entry_and_what_changes_nothing_brings_none,
                enrolment_and_renewal_bring_their_entries,
                queueing_and_cancelling_bring_their_entries,
                runs_that_events_queue_are_all_told_of,
                days_that_a_clock_counted_that_was_ahead_are_told_of,
            }
            audit_chain {
                the_log_is_a_chain_from_its_first_record_on,
                checkpoints_come_newest_first_and_a_log_is_due_until_it_has_one,
                a_sensor_whose_log_does_not_go_on_is_noted_each_time,
                logs_of_sensors_go_on_from_where_they_are_known_to_stand,
            }
            enrolment {
                of_many_concurrent_claims_one_enrols,
                the_same_keys_may_claim_again_for_ten_minutes,
                the_right_secret_with_other_keys_contests_the_sensor,
                wrong_expired_and_withdrawn_invitations_are_invalid,
                names_of_sensors_and_open_invitations_are_taken,
                an_identity_key_enrols_once,
                invitations_show_where_they_are_in_their_life,
            }
            sensor {
                sessions_are_numbered_and_the_first_makes_active,
                a_new_certificate_is_promoted_at_its_first_use,
                six_renewals_an_hour,
                revocation_denies_returns_leases_and_keeps_the_name,
                last_seen_never_goes_back,
                sensors_of_another_tenant_are_unknown,
            }
            standing {
                a_suspended_sensor_gets_nothing_until_it_is_resumed,
                a_provisional_sensor_stays_provisional,
                t13_a_token_from_before_the_last_session_is_stale,
                t14_after_an_approval_exactly_one_recovery_goes_without_questions,
                t15_a_recovery_that_was_overtaken_is_late_and_no_conflict,
                t11_recoveries_are_counted_and_absence_is_noticed,
                a_recovery_whose_answer_was_lost_is_repeated,
                a_deleted_sensor_leaves_its_name_and_not_its_key,
                standing_is_the_tenants_own_affair,
            }
            approval {
                t14_an_approval_that_is_not_used_leaves_the_quarantine,
                t14_an_approval_does_not_outlive_the_next_conflict,
                t14_an_approval_for_one_machine_lets_in_that_one_alone,
                a_refused_recovery_is_noted_once_an_hour_with_a_count,
                t12_a_suspended_sensor_is_quarantined_and_not_resumed,
                t08_an_approval_settles_a_contest_and_approves,
                conflicts_are_counted_by_tenant,
                what_is_forgotten_leaves_nothing_behind,
            }
            unused {
                a_sensor_that_does_not_connect_is_marked_once,
                a_sensor_that_never_connected_is_removed_when_its_certificates_have_ended,
                a_removed_sensor_leaves_its_invitation_spent_and_its_name_free,
            }
            registry {
                registries_come_back_as_they_were_given,
                names_are_unique_and_sensors_must_exist,
                changes_are_checked_against_the_version_seen,
                removal_takes_everything_of_the_registry_but_shared_content,
                what_a_removed_registry_leaves_behind_comes_to_nobody,
                a_change_of_address_wipes_nothing,
            }
            fence {
                t30_every_effect_of_another_session_is_stale,
                t30_every_effect_of_an_attempt_that_is_over_is_stale,
                t30_every_effect_of_a_revoked_sensor_is_stale,
                t30_runs_of_another_tenant_are_told_apart_from_attempts_that_are_over,
                refused_batches_are_counted_for_each_attempt,
            }
            offer {
                a_repository_is_pending_until_this_run_commits_it,
                unchanged_only_if_listed_with_the_same_hash_and_all_held,
                unchanged_counts_as_committed_by_this_run,
                a_tag_that_is_too_large_does_not_make_a_repository_changed,
                more_than_an_offer_may_have_is_refused,
            }
            content {
                content_is_wanted_until_it_is_held,
                an_incomplete_manifest_stays_wanted_until_it_is_whole,
                what_is_not_held_stays_wanted_whatever_was_said_of_it,
                the_largest_sizes_are_stored,
                content_is_held_for_one_tenant_alone,
                the_same_content_twice_is_stored_once,
            }
            commit {
                tags_appear_move_and_vanish_with_their_times,
                a_truncated_listing_removes_nothing,
                an_incomplete_commit_removes_but_is_no_success,
                repeating_a_commit_changes_nothing,
                unsorted_or_too_many_tags_are_refused,
                what_cannot_be_committed_is_refused,
                tags_of_any_digest_algorithm_are_kept,
            }
            tag_sets {
                tag_sets_come_whole_in_the_order_asked_for,
            }
            left_out {
                what_the_filter_leaves_out_has_not_vanished,
                a_truncated_listing_leaves_out_what_it_names_and_nothing_vanishes,
                names_that_make_no_sense_are_refused,
            }
            budget {
                requests_of_every_attempt_count,
                a_run_waits_while_its_registry_has_used_up_its_requests,
                a_run_waits_no_longer_when_the_budget_is_changed,
            }
            facts {
                facts_are_kept_with_their_times,
                facts_of_another_definition_are_not_kept,
                methods_of_listing_are_kept_with_the_account,
                findings_keep_their_further_lines_up_to_a_bound,
            }
            claims {
                since_when_a_registry_is_paused_is_told,
                what_a_clock_saw_that_was_ahead_is_not_the_last_for_a_day,
                what_was_wanted_when_it_began_is_no_success_of_what_is_wanted_now,
                an_attempt_after_a_change_of_what_is_wanted_reads_all_of_it,
            }
            freshness {
                the_last_run_of_the_whole_is_told_beside_the_last_of_all,
                a_run_that_waits_is_told,
                a_start_is_not_hidden_behind_what_people_have_asked_for,
                a_look_beside_others_is_no_reading_of_the_registry,
                the_sensors_of_each_registry_are_told_in_their_order,
                many_registries_are_told_at_once,
                when_a_run_last_moved_is_told_while_a_sensor_works_on_it,
                figures_are_told_of_all_tenants_up_to_a_bound,
            }
            close {
                complete_only_if_everything_was_seen,
                coverage_counts_all_attempts,
                t32_closing_twice_gives_the_stored_outcome,
                a_failure_without_a_commit_fails_the_run,
                a_found_repository_that_came_to_nothing_is_not_passed_over,
                the_last_report_on_a_repository_stands,
            }
            filtered {
                what_was_left_out_is_named_and_touches_nothing,
                names_of_what_was_left_out_have_a_bound,
                what_was_left_out_is_counted_once_over_all_attempts,
            }
            vanish {
                repositories_vanish_only_after_a_complete_listing_of_the_whole_registry,
                repositories_outside_the_patterns_do_not_vanish,
                repositories_that_are_left_out_do_not_vanish,
                a_repository_that_comes_back_keeps_its_history,
                nothing_vanishes_by_a_run_in_which_the_registry_was_changed,
            }
            image {
                repositories_are_listed_by_registry_and_name,
                tags_come_in_pages_with_what_is_known_of_their_manifests,
                referrers_are_found_by_their_subject,
                a_digest_is_found_by_tag_index_config_and_subject,
                more_ways_to_a_digest_than_are_followed_are_told,
                placements_come_in_pages,
                totals_count_what_is_there,
                another_tenant_sees_nothing,
            }
            probe {
                a_probe_comes_back_with_its_report,
                a_report_tells_of_its_registry_unless_that_was_changed,
                only_the_first_report_of_a_current_session_in_time_counts,
                requests_of_probes_count_with_those_of_runs,
                probes_wait_for_the_preferred_sensor_that_is_connected,
                a_tenant_has_so_many_waiting_probes_and_no_more,
                no_tenant_stands_in_the_way_of_another,
                of_probes_that_have_ended_so_many_are_kept,
                probes_are_forgotten,
            }
            credential {
                of_many_puts_of_one_version_one_is_taken,
                the_version_before_is_kept_until_the_next_has_worked,
                a_version_has_worked_when_something_was_read_with_it,
                what_is_taken_away_leaves_nothing_to_open,
                credentials_are_listed_by_registry_for_their_tenant_alone,
            }
            credential_log {
                a_registry_takes_its_credential_along_and_both_are_told,
                a_registry_is_added_with_its_credential_or_not_at_all,
                what_a_probe_tries_is_told_of_when_it_is_given_away,
            }
            sealing {
                the_key_that_was_said_last_is_the_latest,
                t34_a_credential_is_handed_to_its_recipients_for_its_registry_alone,
                a_wrap_is_replaced_if_it_is_still_the_one,
            }
            partial {
                in_part_tags_appear_move_and_vanish_and_the_rest_stays,
                a_look_that_finds_nothing_new_forgets_nothing,
                in_part_what_the_filter_leaves_out_has_not_vanished,
                in_part_an_unknown_repository_is_made_by_what_is_in_it,
                in_part_a_repository_that_had_vanished_comes_back,
                in_part_what_makes_no_sense_is_refused,
                in_part_a_repository_is_not_known_to_have_had_no_other_tags,
            }
            beside {
                an_event_run_goes_beside_one_other_on_the_same_sensor,
                both_go_on_in_the_sensors_next_session,
                a_lost_run_is_not_taken_up_elsewhere_while_the_other_goes_on,
                what_was_seen_beside_a_run_has_not_vanished_by_it,
                event_runs_are_no_attempts_to_read_a_registry,
                nothing_goes_beside_another_on_a_sensor_that_looks_for_both_at_once,
                a_failed_look_does_not_make_a_listed_repository_a_failed_one,
                what_vanished_is_complete_only_once_it_was_listed_again,
                a_look_without_all_answers_still_says_what_is_gone,
            }
            event {
                events_of_a_repository_are_looked_at_together,
                a_flood_of_events_for_one_repository_is_one_run,
                a_flood_is_looked_at_when_it_is_over_and_within_seconds,
                what_is_deleted_while_it_is_listed_is_looked_at,
                a_repository_in_which_much_was_pushed_is_looked_at_as_a_whole,
                a_whole_registry_is_not_looked_at_again_and_again,
                deletions_are_looked_at_tag_by_tag,
                events_have_bounds_above_which_more_is_looked_at,
                a_look_at_the_whole_joins_a_run_that_has_not_begun,
                a_look_at_the_whole_joins_the_run_that_follows_one_that_has_begun,
                of_many_takers_one_queues_the_run,
                a_clock_that_is_set_back_keeps_no_event_waiting,
                what_was_looked_at_is_forgotten_in_time,
            }
            looked {
                what_a_look_did_not_read_is_looked_at_again_and_at_last_with_the_whole,
                other_events_ask_for_it_at_once,
                what_lapses_is_looked_at_again_and_what_is_cancelled_is_not,
                only_a_listing_of_the_whole_says_that_a_repository_is_gone,
                events_that_are_lost_do_not_wait_for_what_may_be_gone,
                what_is_denied_is_given_up_without_a_look_at_the_whole,
                what_is_put_off_stands_in_nobodys_way,
            }
            event_count {
                events_of_a_registry_that_is_not_read_on_push_start_nothing,
                events_of_what_is_left_out_are_only_counted,
                counts_stop_at_their_bound_and_keep_no_event_back,
                what_came_in_is_counted_by_door,
                a_sensor_that_begins_to_listen_has_given_nothing_up,
                what_is_told_late_came_when_it_came,
            }
            unannounced {
                an_event_that_comes_a_moment_after_the_listing_is_in_time,
                silence_is_known_before_the_run_ends_that_noticed_it,
                what_no_event_has_announced_is_noted_until_a_run_finds_none,
                what_events_have_announced_is_expected,
                events_need_announce_nothing_of_the_time_before_they_were_asked_for,
                runs_that_events_asked_for_find_nothing_unannounced,
                a_sensor_that_begins_again_and_again_excuses_nothing,
            }
            feed {
                changes_come_in_the_order_of_their_commits,
                what_changes_nothing_is_not_told,
                changes_of_one_registry_are_told_apart,
                a_registry_that_goes_is_told_of,
                feeds_of_tenants_are_apart,
                a_position_ahead_of_the_feed_is_refused,
                concurrent_commits_do_not_overtake_a_reader,
                what_was_seen_in_part_dates_what_comes_after,
                retention_is_what_was_last_said,
            }
            follower {
                whoever_follows_arrives_at_what_there_is,
            }
            replay {
                t60_what_the_exported_log_says_is_done_again,
                t60_what_was_taken_away_since_is_taken_away_again,
                t60_a_log_that_does_not_follow_is_refused,
                what_the_log_has_told_of_is_not_told_again,
            }
            timeline {
                t60_a_key_of_a_later_generation_voids_those_before,
                t60_an_amnesty_holds_whenever_the_sensor_was_last_heard_of,
                t60_nothing_is_told_to_webhooks_before_somebody_has_looked,
                the_pulse_counts_up_unless_there_is_a_mark,
                t60_a_restore_passes_over_every_number,
                t60_an_amnesty_lets_each_sensor_in_once,
                t60_an_amnesty_ends_with_the_first_session,
                t60_whoever_has_an_amnesty_is_not_unused,
                t60_the_next_version_of_a_credential_is_newer_than_any,
            }
            webhook {
                webhooks_come_back_as_they_were_given,
                a_tenant_has_so_many_webhooks_and_no_more,
                so_many_deliveries_are_kept_of_a_webhook,
            }
            webhook_delivery {
                a_webhook_is_due_when_the_feed_has_grown_behind_it,
                tenants_take_turns_with_their_webhooks,
                of_several_holders_one_gets_a_webhook,
                a_message_stays_what_it_is_until_it_has_arrived,
                a_webhook_that_is_disabled_keeps_its_place,
                what_came_of_what_a_webhook_was_does_not_count_against_what_it_is,
            }
            webhook_turn {
                a_webhook_of_one_registry_waits_for_that_one,
                a_message_is_due_whatever_its_webhook_is_told_of_since,
                retention_overtakes_only_those_for_whom_there_was_something,
                a_message_in_hand_is_not_forgotten,
                an_attempt_that_was_made_meanwhile_is_not_made_again,
                who_cannot_go_on_is_disabled_though_a_process_died_with_it,
                those_that_are_slow_wait_apart,
                turns_go_round,
                what_is_on_its_way_counts_as_a_turn_of_its_tenant,
                a_restore_is_not_passed_over_in_silence,
            }
            past {
                tags_are_shown_as_they_were,
                differences_are_net,
                what_was_known_when_is_said,
            }
            past_model {
                random_pasts_agree_with_a_model,
            }
            forget {
                the_past_is_forgotten_up_to_what_is_to_be_kept,
                runs_are_forgotten_but_the_latest,
                forgetting_runs_changes_nothing_of_what_is_said_of_a_registry,
                looks_that_came_to_their_end_go_after_a_week,
                the_time_that_sensors_told_is_known,
            }
            age {
                a_tag_was_last_seen_when_its_listing_began,
                looks_and_what_is_unchanged_are_as_old_as_their_beginning,
                nothing_was_seen_before_its_run_began,
                what_vanished_may_have_come_back_before_its_run_ended,
                what_events_name_during_a_listing_is_announced,
                no_change_was_later_than_it_was_noticed,
            }
            model {
                random_commits_agree_with_a_model,
            }
        }
        $crate::suite_of_runs! { $store }
    };
}
