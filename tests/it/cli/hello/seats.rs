//! As many clients as there are seats, and one more.

use std::io::Write;
use std::str;

use selkey::apps::hello::REFUSAL;

use super::{asks, client, hears, meet, rest, server};
use crate::cli::refusals::FAILED;
use crate::cli::support::{Ended, dial};

#[test]
fn whoever_comes_when_all_seats_are_taken_is_told_so() {
    let mut server = server(&["--max-connections", "1", "--backlog", "100"]);
    let (mut first, _) = meet(&mut server);
    // They stay: neither the accepts nor the first client wait for them, and after some the server closes at once.
    let mut refused: Vec<_> = (0..40).map(|_| dial(server.address)).collect();
    for stream in &mut refused {
        assert_eq!(rest(stream), REFUSAL);
        let name = stream.local_addr().unwrap();
        assert_eq!(server.program.line(), format!("Refused connection from {name}: 1 are open"));
    }
    asks(&mut first, b"Bob");
    first.write_all(b"exit").unwrap();
    assert!(rest(&mut first).is_empty());
    // The seat is free before the client is told of the end.
    let mut next = dial(server.address);
    hears(&mut next, b"Welcome!");
    asks(&mut next, b"Tracy");
}

#[test]
fn a_refusal_arrives_whole_although_the_client_said_much() {
    let mut server = server(&["--max-connections", "1"]);
    let (_first, _) = meet(&mut server);
    for _ in 0..10 {
        // All of it is there, unread, when the server refuses: closing at once would be a reset.
        server.program.freeze();
        let mut stream = dial(server.address);
        stream.write_all(&[b'x'; 20_000]).unwrap();
        server.program.signal(libc::SIGCONT);
        assert_eq!(rest(&mut stream), REFUSAL);
    }
}

#[test]
fn a_client_of_ours_says_that_it_was_refused() {
    let mut server = server(&["--max-connections", "1"]);
    let (_first, _) = meet(&mut server);
    let Ended { status, lines, errors, .. } = client(server.address, &[]).end();
    assert_eq!(lines, [str::from_utf8(REFUSAL).unwrap().trim_end()]);
    assert_eq!((status, errors.len()), (Some(FAILED), 1));
    assert!(errors[0].starts_with("error: no answer to b'Michael': "), "{errors:?}");
}

#[test]
fn one_client_after_another_finds_the_one_seat_free() {
    let server = server(&["--max-connections", "1", "--once", "30"]);
    for _ in 0..30 {
        let mut stream = dial(server.address);
        hears(&mut stream, b"Welcome!");
        stream.write_all(b"exit").unwrap();
        assert!(rest(&mut stream).is_empty());
    }
    server.program.succeed();
}
