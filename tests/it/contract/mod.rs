//! The contract of a selector, one statement after the other, over every backend.

mod bare;
mod cost;
pub mod counting;
mod keys;
mod looking;
mod pause;
mod readiness;
mod refusals;
mod removal;
mod urgent;
mod waiting;
mod waker;

use std::fmt::Debug;
use std::time::Duration;

use selkey::backend::{Backend, Poll, Select};
use selkey::{EVENT_READ, EVENT_WRITE, Events, Key, Selector};

/// A backend, and what the contract lets differ.
pub trait Kind: Backend + Debug + Send + 'static {
    /// What a hang-up wakes.
    const HANG_UP: Events = BOTH;
    /// The first descriptor it cannot hold.
    const LIMIT: usize = usize::MAX;
    const TAKES_FILES: bool = true;
    const CLOSED: Closed;
    /// What a wait is called by who traces system calls.
    const CALLS: &[&str];
    /// Whether the system's wait takes less than a millisecond.
    fn counts_finely() -> bool {
        true
    }
}

/// What a wait says about a descriptor that was closed behind the selector's back.
#[derive(Clone, Copy, Debug)]
pub enum Closed {
    Nothing,
    Everything,
    BadDescriptor,
}

pub const BOTH: Events = Events::from_bits(EVENT_READ.bits() | EVENT_WRITE.bits());

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Kind for selkey::backend::Epoll {
    const TAKES_FILES: bool = false;
    const CLOSED: Closed = Closed::Nothing;
    const CALLS: &[&str] = &["epoll_wait", "epoll_pwait", "epoll_pwait2"];

    #[cfg(target_os = "linux")]
    fn counts_finely() -> bool {
        // SAFETY: there is no such set, so that nothing is written.
        unsafe { libc::syscall(libc::SYS_epoll_pwait2, -1, 0, 1, 0, 0, 0) };
        std::io::Error::last_os_error().raw_os_error() == Some(libc::EBADF)
    }
    #[cfg(not(target_os = "linux"))]
    fn counts_finely() -> bool {
        false
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Kind for selkey::backend::Kqueue {
    const CLOSED: Closed = Closed::Nothing;
    const CALLS: &[&str] = &["kevent"];

    // `polling` decides there.
    fn counts_finely() -> bool {
        false
    }
}

impl Kind for Poll {
    const CLOSED: Closed = Closed::Everything;
    const CALLS: &[&str] = &["poll", "ppoll", "ppoll_time64"];

    // poll(2) counts in milliseconds, and not every system has ppoll(2).
    fn counts_finely() -> bool {
        cfg!(any(target_os = "linux", target_os = "android"))
    }
}

impl Kind for Select {
    const HANG_UP: Events = EVENT_READ;
    const LIMIT: usize = libc::FD_SETSIZE;
    const CLOSED: Closed = Closed::BadDescriptor;
    const CALLS: &[&str] = &["select", "_newselect", "pselect6", "pselect6_time64"];
}

/// What is ready at this moment.
pub fn now<F, D, B: Backend>(selector: &mut Selector<F, D, B>) -> Vec<(Key, Events)> {
    selector.select(Duration::ZERO).unwrap()
}

/// Makes a test of each statement for each backend: `MODULE::BACKEND::STATEMENT`.
///
/// `here` runs a statement beside the others, `alone` in a process of its own. A new backend becomes one line.
macro_rules! over_every_backend {
    ($list:tt) => {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        $crate::contract::over!(epoll, ::selkey::backend::Epoll, $list);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        $crate::contract::over!(kqueue, ::selkey::backend::Kqueue, $list);
        $crate::contract::over!(poll, ::selkey::backend::Poll, $list);
        $crate::contract::over!(select, ::selkey::backend::Select, $list);
        // One that is implemented outside the crate.
        $crate::contract::over!(
            outside,
            $crate::contract::counting::Counting<::selkey::backend::DefaultBackend>,
            $list
        );
    };
}

macro_rules! over {
    ($module:ident, $backend:ty, { $($topic:ident { $($how:ident $statement:ident;)* })* }) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            $($(
                #[test]
                fn $statement() {
                    $crate::harness::$how(
                        concat!(module_path!(), "::", stringify!($statement)),
                        $topic::$statement::<$backend>,
                    );
                }
            )*)*
        }
    };
}

pub(crate) use {over, over_every_backend};

over_every_backend!({
    readiness {
        here what_stays_ready_is_reported_again;
        here what_was_used_up_is_not_reported_again;
        here read_and_write_come_in_one_entry;
        alone every_ready_one_comes_in_one_call;
        alone events_that_are_not_registered_are_masked_out;
        here a_change_of_the_mask_counts_at_the_next_call;
        here what_a_modify_leaves_out_ends_no_wait;
        alone a_hang_up_wakes_the_reader_and_the_writer;
        alone an_error_wakes_the_reader_and_the_writer;
        here the_list_of_the_caller_is_cleared_first;
    }
    waiting {
        alone a_signal_ends_the_wait_with_no_entries;
        alone no_timeout_waits_as_long_as_it_takes;
        alone a_zero_timeout_looks_and_returns;
        here a_positive_timeout_never_ends_early;
        here a_part_of_a_millisecond_is_not_rounded_up;
        alone the_longest_timeouts_are_clamped;
        here an_empty_selector_waits_its_timeout_out;
        alone an_empty_selector_without_timeout_waits_for_the_waker;
    }
    waker {
        alone a_wake_from_another_thread_ends_the_wait;
        alone a_wake_before_the_wait_ends_the_next_one_only;
        alone many_wakes_count_as_one;
        alone a_clone_wakes_too_and_outlives_the_first;
        here a_wake_is_not_an_entry_and_hides_none;
        alone waking_after_the_selector_is_gone_does_nothing;
    }
    refusals {
        here a_descriptor_registered_twice_is_refused_with_the_old_key;
        here an_empty_mask_is_refused_at_register;
        here an_unknown_mask_is_refused_at_register;
        here an_unknown_mask_is_refused_at_modify_and_changes_nothing;
        here a_failed_register_leaves_nothing_behind;
        here a_regular_file_is_refused_with_eperm_by_epoll_alone;
        here a_change_of_data_asks_the_backend_nothing;
        here the_same_mask_again_asks_the_backend_nothing;
        here a_modify_the_kernel_refuses_hands_the_registration_back;
        here a_pause_or_resume_the_kernel_refuses_hands_the_registration_back;
        here modify_under_an_old_key_is_refused;
        alone a_descriptor_beyond_the_limit_is_refused_by_its_number;
    }
    pause {
        here a_pause_takes_the_descriptor_out_of_the_kernels_set;
        alone while_paused_nothing_is_reported_and_key_and_data_stay;
        alone while_paused_a_hang_up_does_not_spin;
        alone a_paused_registration_is_resumed_by_the_next_modify;
        here a_paused_registration_is_unregistered_without_the_backend;
        here a_paused_descriptor_is_still_registered;
    }
    removal {
        here unregister_hands_object_and_data_back;
        here unregister_under_an_old_key_is_a_miss;
        here what_is_unregistered_is_not_reported;
        alone unregister_of_a_closed_descriptor_succeeds;
        here unregister_of_a_reused_descriptor_succeeds;
        alone a_closed_descriptor_is_reported_as_the_backend_does;
    }
    keys {
        here an_event_for_a_reused_descriptor_is_dropped;
        here an_event_the_kernel_still_reports_for_an_ended_registration_is_dropped;
        here an_old_key_finds_nothing_in_a_slot_used_again;
        here keys_are_never_given_twice;
        here a_selector_can_move_to_another_thread;
    }
    looking {
        here get_key_shows_what_was_registered;
        here get_mut_changes_the_data;
        here key_of_finds_by_number;
        here get_map_counts_and_goes_over_all;
        here iter_mut_changes_every_data;
        here extract_if_unregisters_what_it_picks;
        here extract_if_leaves_what_it_did_not_reach;
        here into_iter_hands_everything_back;
        here borrowed_shared_and_boxed_objects_are_taken;
    }
    bare {
        here the_token_given_last_is_reported;
        here what_is_not_in_the_set_is_refused_with_enoent;
        here ready_ones_are_appended_and_no_more_than_asked_for;
    }
    urgent {
        here an_urgent_byte_neither_wakes_nor_spins_a_reader;
        here an_urgent_byte_is_data_with_so_oobinline;
    }
    cost {
        alone one_select_is_one_system_call;
        here dropping_takes_no_descriptor_out_one_by_one;
        here closing_takes_no_descriptor_out_one_by_one;
    }
});
