#![doc = include_str!("../README.md")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this runs in tests, where a panic is how a case fails"
)]

pub mod access;
pub mod approval;
pub mod audit;
pub mod audit_chain;
pub mod budget;
pub mod close;
pub mod commit;
pub mod content;
pub mod credential;
pub mod enrolment;
pub mod facts;
pub mod fence;
pub mod filtered;
pub mod image;
pub mod lease;
pub mod left_out;
pub mod model;
pub mod offer;
pub mod probe;
pub mod queue;
pub mod registry;
pub mod sealing;
pub mod sensor;
mod site;
pub mod standing;
pub mod tag_sets;
pub mod unused;
mod values;
pub mod vanish;
mod vault;

pub use site::{
    Site, at, commit_of, digest, image_of, note, noted, observation, requeue_expired, state_hash,
};

/// Makes a `#[tokio::test]` of every case. The argument is a future of the store and of something to keep alive with it.
#[macro_export]
macro_rules! suite {
    ($store:expr) => {
        $crate::suite! { @cases $store;
            access {
                tenant_names_are_unique,
                api_tokens_are_found_by_their_id_alone,
                api_token_names_are_free_again_after_revocation,
                api_tokens_come_in_pages_oldest_first,
                audit_numbers_have_no_gaps_and_start_at_one_in_each_tenant,
                cursors_of_another_list_are_refused,
            }
            audit {
                a_change_brings_its_entry_and_what_changes_nothing_brings_none,
                enrolment_and_renewal_bring_their_entries,
                queueing_and_cancelling_bring_their_entries,
            }
            audit_chain {
                the_log_is_a_chain_from_its_first_record_on,
                checkpoints_come_newest_first_and_a_log_is_due_until_it_has_one,
                a_sensor_whose_log_does_not_go_on_is_noted_each_time,
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
                a_change_of_address_wipes_nothing,
            }
            queue {
                the_same_registry_and_scope_join,
                runs_wait_in_order_with_preferred_sensors_first,
                a_run_is_not_leased_before_its_time,
                runs_are_listed_newest_first_in_pages,
                runs_of_other_sensors_do_not_stand_in_the_way,
                cancelling_fences_off,
            }
            lease {
                a_lease_is_given_once_and_says_what_to_read,
                only_a_current_session_of_an_assigned_sensor_gets_a_lease,
                a_lease_that_ran_out_can_be_renewed_until_it_is_taken,
                t26_a_lost_lease_returns_to_the_queue_after_the_grace,
                t29_attempts_that_still_run_are_adopted_and_others_return,
                a_lease_handed_back_is_not_fruitless,
                five_fruitless_attempts_fail_the_run,
                a_commit_resets_the_count_of_fruitless_attempts,
                a_failed_attempt_waits_until_its_time,
                progress_of_a_stale_attempt_is_ignored,
                leases_that_were_withdrawn_are_found_and_those_that_closed_their_runs_are_not,
                a_registry_has_one_leased_run_at_a_time,
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
            sealing {
                the_key_that_was_said_last_is_the_latest,
                t34_a_credential_is_handed_to_its_recipients_for_its_registry_alone,
                a_wrap_is_replaced_if_it_is_still_the_one,
            }
            model {
                random_commits_agree_with_a_model,
            }
        }
    };
    (@cases $store:expr; $($noun:ident { $($case:ident,)* })*) => {
        $(mod $noun {
            #[allow(unused_imports, reason = "the expression may name things of the caller or not")]
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let (store, keep) = $store.await;
                    $crate::$noun::$case(&store).await;
                    drop(keep);
                }
            )*
        })*
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_suite() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let suite = std::fs::read_to_string(folder.join("lib.rs")).unwrap();
        let mut cases = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("site.rs") || path.ends_with("lib.rs") {
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                if let Some(rest) = line.strip_prefix("pub async fn ") {
                    let name = rest.split('(').next().unwrap();
                    assert!(
                        suite.contains(&format!(" {name},\n")),
                        "{name} of {} is in no suite",
                        path.display()
                    );
                    cases += 1;
                }
            }
        }
        assert!(cases > 50, "{cases}");
    }
}
