//! The machine that an experiment ran on, as far as it bears on sockets.

use std::{env, fs, thread};

use crate::socket::descriptor_limit;

/// What decides how sockets behave.
const SYSCTLS: [&str; 16] = [
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.core.somaxconn",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_migrate_req",
    "net.ipv4.tcp_congestion_control",
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
    let kernel = sysctl("kernel.osrelease").unwrap_or_default();
    let processors = thread::available_parallelism().ok().map(|processors| processors.to_string());
    let descriptors = descriptor_limit().ok().map(|soft| match hard_descriptor_limit() {
        Some(hard) => format!("{soft}, at most {hard}"),
        None => soft.to_string(),
    });
    let machine = [
        ("kernel", Some(format!("{} {kernel} {}", env::consts::OS, env::consts::ARCH).replace("  ", " "))),
        ("processors", processors),
        ("descriptors", descriptors),
    ];
    let machine = machine.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let sysctls = SYSCTLS.iter().filter_map(|name| Some(((*name).to_owned(), sysctl(name)?)));
    machine.chain(sysctls).collect()
}

/// What a kernel parameter is, with single blanks between its values.
pub(super) fn sysctl(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// As far as the limit on descriptors can be raised without a privilege; from /proc.
pub(super) fn hard_descriptor_limit() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().nth(1)?.parse().ok())
}
