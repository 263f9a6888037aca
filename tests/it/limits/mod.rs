//! What a loop takes from its peers at most, how long it waits for them, and what it counts, each as a test with real sockets.

#[cfg(feature = "cli")]
mod command_line;
mod crowd;
mod deadlines;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod descriptors;
mod ends;
mod held_up;
mod reading;
mod slow;
mod stats;
mod still;
mod support;
mod timers;
