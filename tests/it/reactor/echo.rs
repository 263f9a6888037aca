//! An echo: small, large both ways at once, in single bytes, to many.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;

use super::support::{Echo, Server, ask, assert_same, pattern, read, read_all};
use selkey::{Flow, from_fn};

#[test]
fn a_small_message_comes_back() {
    let server = Server::start(|_| Echo);
    let mut client = server.client();
    assert_eq!(ask(&mut client, b"Hello, world"), b"Hello, world");
    assert_eq!(ask(&mut client, b"again"), b"again");
}

#[test]
fn ten_lines_make_a_server() {
    let server = Server::start(|_| {
        from_fn(|input, out| {
            out.lend(input);
            Flow::used(input.len())
        })
    });
    assert_eq!(ask(&mut server.client(), b"Hello, world"), b"Hello, world");
}

#[test]
fn megabytes_come_back_while_megabytes_are_sent() {
    let server = Server::start(|_| Echo);
    let there_and_back = |client: TcpStream, seed| {
        let bytes = pattern(6 << 20, seed);
        thread::scope(|scope| {
            let mut reader = client.try_clone().unwrap();
            let back = scope.spawn(move || read_all(&mut reader));
            (&client).write_all(&bytes).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert_same(&back.join().unwrap(), &bytes);
        });
    };
    thread::scope(|scope| {
        for seed in 0..2 {
            let client = server.client();
            scope.spawn(move || there_and_back(client, seed));
        }
    });
}

#[test]
fn single_bytes_come_back_each_before_the_next_is_sent() {
    let server = Server::start(|_| Echo);
    let mut client = server.client();
    for byte in pattern(1000, 1) {
        assert_eq!(ask(&mut client, &[byte]), [byte]);
    }
}

#[test]
fn single_bytes_come_back_when_all_are_sent_first() {
    let server = Server::start(|_| Echo);
    let mut client = server.client();
    let bytes = pattern(3000, 2);
    for byte in &bytes {
        client.write_all(&[*byte]).unwrap();
    }
    assert_same(&read(&mut client, bytes.len()), &bytes);
}

/// More than are accepted in one turn.
#[test]
fn a_burst_of_connections_is_served_each_with_its_own_bytes() {
    let server = Server::start(|_| Echo);
    let mut clients: Vec<TcpStream> = (0..200).map(|_| server.client()).collect();
    for (seed, client) in clients.iter_mut().enumerate() {
        client.write_all(&pattern(100, seed as u64)).unwrap();
    }
    for (seed, client) in clients.iter_mut().enumerate().rev() {
        assert_same(&read(client, 100), &pattern(100, seed as u64));
    }
}
