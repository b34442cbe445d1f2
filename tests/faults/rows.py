"""The rows of the reliability card, and the tests that hold each.

A test under `faults/` stands in both colours: `tests/faults/…` and `tests/aio/faults/…`.
`tests/unit/test_rows.py` fails when a row has no test, or when a test that is named here is gone.
"""

from __future__ import annotations

from typing import Dict, List

ROWS: Dict[str, List[str]] = {
    "S1": [
        "faults/test_secrets.py::test_no_failure_to_connect_shows_the_key",
        "faults/test_tls.py::test_a_wrong_certificate_hears_nothing",
    ],
    "S2": [
        "faults/test_calls.py::test_a_broken_connection_is_replaced",
        "faults/test_hostile.py::test_an_answer_that_was_lost_is_given_once",
    ],
    "S3": [
        "faults/test_hostile.py::test_an_answer_cut_at_every_byte_is_none",
        "faults/test_hostile.py::test_more_than_an_answer_answers_nothing",
    ],
    "S4": [
        "faults/test_hostile.py::test_junk_is_an_error_of_ours",
        "faults/test_hostile.py::test_what_comes_before_an_answer_is_none",
        "faults/test_hostile.py::test_a_connection_that_is_closed_just_before_it_is_used",
    ],
    "S5": [
        "faults/test_hostile.py::test_a_stream_cut_at_every_byte",
        "faults/test_streams.py::test_a_cut_stream_never_passes_for_a_whole_one",
    ],
    "S6": [
        "faults/test_hostile.py::test_a_stream_cut_anywhere_is_told_once",
        "faults/test_streams.py::test_a_cut_stream_is_taken_up_where_it_was",
        "faults/test_hostile.py::test_ids_that_no_header_can_hold",
        "faults/test_streams.py::test_other_pieces_than_text_are_taken_up_where_they_were",
        "faults/test_streams.py::test_ids_that_do_not_tell_the_place",
        "unit/test_storms.py::test_no_stream_is_cut_short_unnoticed",
    ],
    "S7": [
        "unit/test_sse.py::test_the_whole_grammar_at_every_cut",
        "unit/test_sse.py::test_random_streams_at_random_cuts",
    ],
    "S8": [
        "faults/test_hostile.py::test_errors_in_a_stream_have_many_shapes",
        "faults/test_hostile.py::test_the_end_has_many_shapes",
        "faults/test_hostile.py::test_chunks_of_the_wrong_type",
    ],
    "S9": [
        "faults/test_calls.py::test_a_slow_trickle_cannot_outlast_the_timeout",
        "faults/test_streams.py::test_heartbeats_are_no_content",
        "faults/test_streams.py::test_the_total_timeout_bounds_a_stream",
        "unit/test_transport.py::test_a_trickled_head_is_bounded_on_your_own_awaited_client",
        "faults/test_hostile.py::test_the_total_timeout_bounds_a_call_with_its_task",
    ],
    "S10": [
        "unit/test_sse.py::test_an_endless_event_is_refused",
        "faults/test_hostile.py::test_very_many_small_events",
        "faults/test_hostile.py::test_a_body_without_end_is_hung_up_on",
    ],
    "S11": [
        "faults/test_streams.py::test_leaving_early_hangs_up",
        "faults/test_streams.py::test_leaving_a_loop_is_enough",
        "faults/test_hostile.py::test_a_stream_closed_before_it_was_begun",
    ],
    "S12": [
        "faults/test_calls.py::test_what_is_compressed_unasked_is_not_unpacked",
    ],
    "S13": [
        "faults/test_hostile.py::test_hostile_json_is_an_error_of_ours",
        "faults/test_hostile.py::test_random_mutations_of_an_answer",
    ],
    "S14": [
        "faults/test_hostile.py::test_hostile_json_is_an_error_of_ours",
    ],
    "S15": [
        "faults/test_hostile.py::test_what_is_new_is_tolerated",
    ],
    "S16": [
        "faults/test_hostile.py::test_every_status_with_every_body",
    ],
    "S17": [
        "faults/test_calls.py::test_what_may_pass_is_tried_again",
        "faults/test_calls.py::test_what_will_not_pass_is_told_at_once",
        "faults/test_files.py::test_what_cannot_be_read_again_is_sent_once",
        "faults/test_files.py::test_an_upload_is_sent_again",
        "faults/test_hostile.py::test_an_answer_made_of_anything",
    ],
    "S18": [
        "unit/test_retry.py::test_what_the_server_says",
        "faults/test_calls.py::test_a_pause_that_is_too_long_is_left_to_the_caller",
        "faults/test_hostile.py::test_an_answer_made_of_anything",
    ],
    "S19": [
        "faults/test_calls.py::test_a_storm_is_not_fed",
        "unit/test_storms.py::test_an_outage_is_not_fed",
    ],
    "S20": [
        "faults/test_hostile.py::test_an_answer_that_was_lost_is_given_once",
        "unit/test_storms.py::test_nothing_is_done_twice",
    ],
    # A POST whose connection broke is S2's: it is sent again under its idempotency key, which the platform's
    # contract has. One that meets silence is not. For a server without such keys there is `max_retries=0`.
    "S21": [
        "faults/test_calls.py::test_silence_after_a_post_is_not_asked_for_again",
    ],
    "S22": [
        "faults/test_hostile.py::test_nothing_follows_a_redirect",
        "faults/test_files.py::test_a_picture_elsewhere_is_fetched_without_the_key",
    ],
    "S23": [
        "unit/test_transport.py::test_proxies_of_the_environment",
        "unit/test_transport.py::test_a_proxy_that_cannot_be_used",
    ],
    "S24": [
        "faults/test_tls.py::test_a_trusted_certificate_is_enough",
        "faults/test_tls.py::test_a_wrong_certificate_hears_nothing",
    ],
    "S25": [
        "faults/test_secrets.py::test_no_failure_shows_the_key",
        "faults/test_secrets.py::test_no_object_shows_the_key",
        "faults/test_secrets.py::test_another_wrong_setting_does_not_show_the_key",
    ],
    "S26": [
        "faults/test_secrets.py::test_a_key_that_cannot_be_is_refused_unseen",
    ],
    "S27": [
        "faults/test_hostile.py::test_no_id_reaches_another_address",
        "faults/test_calls.py::test_an_id_is_one_segment",
    ],
    "S28": [
        "faults/test_hostile.py::test_a_header_s_name_cannot_inject",
        "faults/test_hostile.py::test_a_file_s_name_stays_in_its_place",
    ],
    "S29": [
        "faults/test_files.py::test_names_of_downloads",
        "faults/test_files.py::test_wrong_bytes",
        "unit/test_programs.py::test_a_disk_that_is_full",
    ],
    "S30": [
        "faults/test_files.py::test_memory",
        "faults/test_hostile.py::test_an_early_refusal_of_an_upload_is_what_it_says",
    ],
    "S31": [
        "unit/test_threads.py::test_sixty_four_threads_on_one_client",
        "unit/test_threads.py::test_closing_at_the_same_time",
        "unit/test_threads.py::test_a_stream_is_closed_by_another_thread",
        "unit/test_threads.py::test_a_stream_is_closed_by_another_task",
    ],
    "S32": [
        "unit/test_processes.py::test_child_and_parent_at_once",
        "unit/test_processes.py::test_the_functions_of_the_module_work_in_a_child",
        "unit/test_processes.py::test_locks_that_were_held_at_the_fork",
        "unit/test_processes.py::test_forks_while_threads_call",
        "unit/test_processes.py::test_a_child_does_not_end_its_parent_s_stream",
        "unit/test_processes.py::test_no_two_processes_send_the_same_idempotency_key",
        "unit/test_pickles.py::test_a_client",
        "unit/test_pickles.py::test_a_client_that_cannot_be_pickled",
        "unit/test_pickles.py::test_a_task_goes_on_where_it_is_unpickled",
        "unit/test_pickles.py::test_results_and_errors",
    ],
    "S33": [
        "unit/test_cancelling.py::test_a_storm_of_cancellations",
        "unit/test_cancelling.py::test_a_storm_on_trio",
        "unit/test_cancelling.py::test_cancelled_after_each_callback",
        "unit/test_pool.py::test_a_slot_comes_back_whatever_closing_raises",
    ],
    "S34": [
        "unit/test_threads.py::test_mixed_faults_leave_nothing_behind",
        "unit/test_threads.py::test_awaited_mixed_faults_leave_nothing_behind",
    ],
    "S35": [
        "unit/test_many_streams.py::test_all_are_whole_and_none_is_mixed_up",
    ],
    "S36": [
        "unit/test_pool.py::test_first_come_first_served",
        "unit/test_threads.py::test_more_calls_than_connections_are_served_in_turn",
        "unit/test_threads.py::test_a_full_pool_is_told_as_what_it_is",
    ],
    "S37": [
        "unit/test_programs.py::test_what_is_open_at_the_end",
        "unit/test_programs.py::test_what_is_open_at_the_end_of_a_loop",
        "unit/test_programs.py::test_a_loop_that_ends_before_its_client_is_closed",
        "unit/test_programs.py::test_both_event_loops",
    ],
    "S38": [
        "unit/test_clock.py::test_a_clock_that_jumps",
        "unit/test_wheel.py::test_only_the_monotonic_clock_measures",
    ],
    # 25 looks a minute, as the card wants, are fewer than it takes to see the end of any task within 15 % of
    # its length, as is wanted, too: 36.
    "S39": [
        "faults/test_tasks.py::test_a_wait_that_fails_does_not_lose_the_task",
        "faults/test_tasks.py::test_what_passes_while_a_task_is_waited_for",
        "faults/test_tasks.py::test_how_often_a_task_is_looked_at",
        "faults/test_tasks.py::test_a_wait_that_is_promised_and_not_kept",
        "faults/test_tasks.py::test_patience_ends",
    ],
    "S40": [
        "unit/test_programs.py::test_ctrl_c",
        "unit/test_programs.py::test_ctrl_c_awaited",
        "unit/test_programs.py::test_a_signal_that_nobody_catches",
        "unit/test_programs.py::test_what_is_open_at_the_end",
        "unit/test_pool.py::test_ctrl_c_on_any_line_costs_no_slot",
    ],
    "S41": [
        "unit/test_programs.py::test_odd_places",
        "unit/test_programs.py::test_results_and_errors_can_be_printed",
    ],
    "S42": [
        "unit/test_webhooks.py::test_the_specification_s_vector",
        "unit/test_webhooks.py::test_no_byte_can_be_changed",
        "unit/test_webhooks.py::test_nothing_can_be_left_out_or_added",
        "unit/test_webhooks.py::test_several_signatures",
        "unit/test_webhooks.py::test_a_secret_that_is_none",
        "unit/test_webhooks.py::test_one_that_is_sent_again_can_be_told",
        "unit/test_webhooks.py::test_signatures_are_compared_in_constant_time",
    ],
    "S43": [
        "unit/test_package.py::test_importing_loads_nothing_heavy_and_touches_nothing",
        "unit/test_package.py::test_importing_costs_next_to_nothing",
        "unit/test_wheel.py::test_importing_any_module_does_nothing",
        "unit/test_wheel.py::test_the_wheel_is_the_packages",
        "unit/test_wheel.py::test_the_packages_are_what_git_has",
        "unit/test_wheel.py::test_built_twice_it_is_the_same",
        "unit/test_wheel.py::test_it_needs_little",
    ],
    "S44": [
        "unit/test_parity.py::test_the_same_in_both_colours",
    ],
}
