//! What a selector adds to the system call: every cell as a ratio to bare epoll(7) through libc, in the same rounds.
//!
//! `cargo bench --bench selector` prints the table and then runs criterion over the same bodies. Behind `--`, a first word that is no
//! flag picks the rows that have it in their name, and `--table` leaves criterion out.

#[cfg(target_os = "linux")]
#[path = "selector/cells.rs"]
mod cells;
mod support;
#[cfg(target_os = "linux")]
#[path = "selector/watch.rs"]
mod watch;

#[cfg(target_os = "linux")]
fn main() {
    use support::Mode;

    let cells = cells::all();
    match Mode::from_args() {
        Mode::Test => {}
        Mode::Table => return print!("{}", cells::measure(&cells)),
        Mode::Full => println!("{}", cells::measure(&cells)),
    }
    let mut criterion = cells::settings().configure_from_args();
    cells::register(&cells, &mut criterion);
    criterion.final_summary();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("Everything is measured against bare epoll, which is Linux's.");
}
