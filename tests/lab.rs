//! The lab's verdicts. A binary of its own, so that nothing else runs meanwhile: some experiments take times, and some need the machine's ports.

#![cfg(feature = "cli")]

use selkey::lab::{self, ClaimReport, Runs, Verdict, Way};

/// Tries an experiment as claimed, where each claim must pass or be skipped for a reason, and the other way, where none may pass.
fn tried(name: &str) {
    let experiment = lab::find(name).unwrap();
    let claimed = experiment.run(&Runs::default(), |_| ());
    let control = experiment.run(&Runs { way: Way::Control, ..Runs::default() }, |_| ());
    for (claimed, control) in claimed.claims.iter().zip(&control.claims) {
        let found = |report: &ClaimReport| format!("{}: {}", report.verdict(), report.findings[0].found);
        let told = format!("{}\n  claimed: {}\n  control: {}", claimed.claim.says, found(claimed), found(control));
        match (claimed.verdict(), control.verdict()) {
            (Verdict::Pass, Verdict::Differs) => {}
            (Verdict::Skipped, _) | (Verdict::Pass, Verdict::Skipped) => println!("skipped: {told}"),
            (claimed, control) => panic!("{claimed}, control {control}: {told}"),
        }
    }
}

macro_rules! experiments {
    ($($name:ident $text:literal)*) => {
        $(
            #[test]
            fn $name() {
                tried($text);
            }
        )*

        #[test]
        fn each_experiment_is_tried() {
            let tried = [$($text),*];
            let known: Vec<&str> = lab::all().iter().map(|experiment| experiment.name).collect();
            assert_eq!(known, tried);
        }
    };
}

experiments! {
    reuseaddr "reuseaddr"
    reuseport_connect "reuseport-connect"
    reuseport_spread "reuseport-spread"
    self_connect "self-connect"
    connect_twice "connect-twice"
    reach "reach"
    privileged_port "privileged-port"
    backlog "backlog"
    defer_accept "defer-accept"
    buffers "buffers"
    autotuning "autotuning"
    nagle "nagle"
    coalescing "coalescing"
    partial_send "partial-send"
    notsent_lowat "notsent-lowat"
    half_close "half-close"
    dead_peer "dead-peer"
    reset "reset"
    urgent "urgent"
    blocking "blocking"
    hangup "hangup"
    udp "udp"
}
