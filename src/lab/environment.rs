//! The machine that an experiment ran on, as far as it bears on sockets.

use std::{env, fs, thread};

use crate::socket::descriptor_limit;

/// What decides how sockets behave, below /proc/sys/net.
const SYSCTLS: [&str; 16] = [
    "core.rmem_default",
    "core.rmem_max",
    "core.wmem_default",
    "core.wmem_max",
    "core.somaxconn",
    "ipv4.tcp_rmem",
    "ipv4.tcp_wmem",
    "ipv4.tcp_moderate_rcvbuf",
    "ipv4.ip_local_port_range",
    "ipv4.ip_unprivileged_port_start",
    "ipv4.tcp_max_syn_backlog",
    "ipv4.tcp_syncookies",
    "ipv4.tcp_abort_on_overflow",
    "ipv4.tcp_tw_reuse",
    "ipv4.tcp_migrate_req",
    "ipv4.tcp_congestion_control",
];

/// Kernel, processors, the limit on descriptors, and the sysctls that bear on sockets, each with its name. What this system does not tell is left out: sysctls
/// are read from /proc/sys, which Linux alone has.
///
/// ```
/// for (name, value) in selkey::lab::environment() {
///     println!("{name:<36}{value}");
/// }
/// ```
pub fn environment() -> Vec<(String, String)> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = thread::available_parallelism().ok().map(|processors| processors.to_string());
    let descriptors = descriptor_limit().ok().map(|soft| match hard_descriptor_limit() {
        Some(hard) => format!("{soft}, at most {hard}"),
        None => soft.to_string(),
    });
    let machine = [
        ("kernel", Some(format!("{} {} {}", env::consts::OS, kernel.trim(), env::consts::ARCH).replace("  ", " "))),
        ("processors", processors),
        ("descriptors", descriptors),
    ];
    let machine = machine.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let sysctls = SYSCTLS.iter().filter_map(|name| Some((format!("net.{name}"), sysctl(name)?)));
    machine.chain(sysctls).collect()
}

/// What net.NAME is, with single blanks between its values.
pub(super) fn sysctl(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/net/{}", name.replace('.', "/"))).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// As far as the limit on descriptors can be raised without a privilege; from /proc.
pub(super) fn hard_descriptor_limit() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().nth(1)?.parse().ok())
}
