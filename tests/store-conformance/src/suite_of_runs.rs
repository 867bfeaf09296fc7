//! The cases of [`suite`](crate::suite!) that are about runs and why there are any.

/// Makes a `#[tokio::test]` of each.
#[doc(hidden)]
#[macro_export]
macro_rules! suite_of_runs {
    ($store:expr) => {
        $crate::cases! { @one $store;
            queue {
                the_same_registry_and_scope_join,
                runs_wait_in_order_with_preferred_sensors_first,
                a_run_is_not_leased_before_its_time,
                runs_are_listed_newest_first_in_pages,
                runs_of_other_sensors_do_not_stand_in_the_way,
                cancelling_fences_off,
                what_a_clock_queued_that_was_ahead_may_be_taken,
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
            reasons {
                people_go_before_events_and_events_before_schedules,
                everything_that_asked_for_a_run_is_noted_with_it,
                what_asks_for_a_run_for_the_first_time_is_noted_however_many_did_before,
                event_runs_join_nothing_but_a_look_at_the_whole,
                whoever_asks_for_a_run_that_is_to_be_tried_again_has_it_at_once,
            }
            follow {
                whoever_asks_for_what_is_being_read_has_it_read_again,
                what_has_committed_is_followed_and_what_has_not_is_joined,
                nobody_waits_for_the_blackout_of_the_run_before_his,
                a_run_goes_on_however_the_one_before_it_ends,
                a_run_does_not_lapse_behind_another,
                whoever_gives_up_hastens_nothing_any_more,
            }
            blackout {
                what_no_person_asked_for_waits_for_the_end_of_a_blackout,
                whoever_asks_for_a_run_that_waits_has_it_at_once,
                a_lost_run_waits_for_the_end_of_a_blackout_too,
                the_time_that_a_blackout_lasts_is_no_time_that_a_run_took,
                what_waits_goes_by_the_blackouts_as_they_are_now,
            }
            lapse {
                a_run_that_nobody_takes_ends,
                a_run_has_its_time_from_when_a_person_last_asked_for_it,
                a_run_that_waits_for_other_things_ends_at_last,
                five_lost_attempts_end_a_run_and_say_so,
                what_was_leased_by_a_clock_that_was_ahead_ends,
                what_waits_by_a_clock_that_was_ahead_waits_no_longer_than_it_may,
                a_run_that_takes_too_long_ends,
                how_long_a_run_may_take_can_be_said_at_any_time,
            }
            schedule {
                schedules_come_back_as_they_were_given,
                a_registry_is_due_when_its_schedule_or_the_clock_says_so,
                a_start_joins_the_run_that_is_open,
                of_two_schedulers_each_start_is_one_run,
                a_run_goes_on_as_if_nothing_were_when_the_schedule_is_changed,
                a_decision_does_not_outlive_what_it_followed_from,
                what_a_clock_planned_that_was_ahead_is_planned_anew,
            }
        }
    };
}
