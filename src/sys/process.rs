//! Another process: the processor time that it used, its children, signals, and whether it has ended.

use std::io;
use std::process::Command;
use std::time::Duration;

pub(crate) use libc::{SIGKILL, SIGTERM};

use super::{check, platform};

/// Sends a signal to every process of the group that this one leads.
pub(crate) fn signal_group(leader: u32, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: the call takes no pointers.
    check(unsafe { libc::killpg(leader as libc::pid_t, signal) }).map(drop)
}

/// Whether a child of ours has ended. It stays to be waited for, so that its number is nobody else's.
pub(crate) fn has_ended(child: u32) -> io::Result<bool> {
    // SAFETY: zeros are a valid value of every field.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` lives through the call, which fills it in.
    check(unsafe {
        libc::waitid(libc::P_PID, child as libc::id_t, &mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
    })?;
    // Without a child that has ended nothing is filled in.
    Ok(info.si_signo != 0)
}

platform::on_epoll! {
    /// Lets the process that is started be ended by SIGTERM when the thread that starts it ends, however that comes about.
    pub(crate) fn end_with_parent(command: &mut Command) {
        use std::os::unix::process::CommandExt;

        let set = || {
            // SAFETY: the call takes no pointers.
            check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, SIGTERM as libc::c_ulong) }).map(drop)
        };
        // SAFETY: between fork and exec it makes one system call and allocates nothing.
        unsafe { command.pre_exec(set) };
    }

    /// The processor time that all threads of a process have used, those that ended included; in nanoseconds, unlike /proc.
    pub(crate) fn cpu_time(process: u32) -> io::Result<Duration> {
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `clock` lives through the call, which fills it in.
        let error = unsafe { libc::clock_getcpuclockid(process as libc::pid_t, &mut clock) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        // SAFETY: `time` lives through the call, which fills it in.
        check(unsafe { libc::clock_gettime(clock, &mut time) })?;
        Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    /// The processes that this one has started and that are there still; empty where the kernel does not tell.
    pub(crate) fn children(process: u32) -> Vec<u32> {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
        let lists = threads.flatten().map(|thread| std::fs::read_to_string(thread.path().join("children")));
        let words = lists.flatten().collect::<Vec<_>>().join(" ");
        words.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    }
}

platform::on_kqueue! {
    pub(crate) fn end_with_parent(_command: &mut Command) {}

    /// There is no clock of another process here.
    pub(crate) fn cpu_time(_process: u32) -> io::Result<Duration> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "the processor time of a process can be asked on Linux only"))
    }

    pub(crate) fn children(_process: u32) -> Vec<u32> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Stdio, id};

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_is_seen_until_it_has_ended() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(children(id()).contains(&child.id()));
        assert!(!has_ended(child.id()).unwrap());
        drop(child.stdin.take());
        while !has_ended(child.id()).unwrap() {
            std::thread::yield_now();
        }
        assert!(child.wait().unwrap().success());
        assert!(cpu_time(child.id()).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn processor_time_is_that_of_all_threads() {
        let before = cpu_time(id()).unwrap();
        let spin = move || while cpu_time(id()).unwrap() < before + Duration::from_millis(2) {};
        std::thread::spawn(spin).join().unwrap();
        assert!(cpu_time(id()).unwrap() >= before + Duration::from_millis(2));
    }
}
