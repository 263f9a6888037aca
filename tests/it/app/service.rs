//! What a server answers, and when it ends a connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use selkey::apps::app::{Connection, Reply as Answer, Search, Server as Service};
use selkey::message::Message;

use super::wire::*;
use crate::reactor::support::{Server, assert_same, pattern};

/// A loop that serves with this function.
fn serve<F>(service: F) -> Server
where
    F: FnMut(&Message<'_>, &mut Answer) + Send + 'static,
{
    Server::with::<Connection<F>>(move |reactor| {
        let service = Service::new(service);
        reactor.listen("127.0.0.1:0", move |socket| service.accept(socket)).unwrap()
    })
}

fn search_server() -> Server {
    let search = Search::default();
    serve(move |request, reply| search.answer(request, reply))
}

/// Sends, and reads the one reply.
fn ask(server: &Server, bytes: &[u8]) -> Reply {
    let mut client = server.client();
    client.write_all(bytes).unwrap();
    Reply::last(&mut client)
}

const MORPHEUS: &str = r#"{"action": "search", "value": "morpheus"}"#;

#[cfg(target_endian = "little")]
#[test]
fn the_three_exchanges_are_answered_byte_for_byte() {
    let server = search_server();
    let (json, binary) = ("text/json\", \"content-encoding\": \"utf-8", "binary\", \"content-encoding\": \"binary");
    let binary = |side: &str| binary.replacen("binary", &format!("binary/custom-{side}-binary-type"), 1);
    let head = |length: u8, kind: &str, content: usize| {
        let rest =
            format!("{{\"byteorder\": \"little\", \"content-type\": \"{kind}\", \"content-length\": {content}}}");
        assert_eq!(rest.len(), usize::from(length));
        [&[0, length], rest.as_bytes()].concat()
    };
    for (request, reply) in [
        (
            [&head(0x67, json, 41)[..], MORPHEUS.as_bytes()].concat(),
            [&head(0x67, json, 43)[..], "{\"result\": \"Follow the white rabbit. 🐰\"}".as_bytes()].concat(),
        ),
        (
            [&head(0x67, json, 37)[..], "{\"action\": \"search\", \"value\": \"🐶\"}".as_bytes()].concat(),
            [&head(0x67, json, 37)[..], "{\"result\": \"🐾 Playing ball! 🏐\"}".as_bytes()].concat(),
        ),
        (
            [&head(0x7f, &binary("client"), 15)[..], b"testqwertyuiopa"].concat(),
            [&head(0x7f, &binary("server"), 37)[..], b"First 10 bytes of request: testqwerty"].concat(),
        ),
    ] {
        assert_eq!(ask(&server, &request).frame, reply);
        let mut client = server.client();
        for byte in &request {
            client.write_all(&[*byte]).unwrap();
        }
        assert_eq!(Reply::last(&mut client).frame, reply);
    }
}

#[test]
fn a_big_endian_sender_is_answered_alike() {
    let server = search_server();
    let header = header("big", "text/json", "utf-8", 41, "");
    assert_eq!(header.len(), 100);
    let from_big = ask(&server, &frame(header.as_bytes(), MORPHEUS.as_bytes()));
    assert_eq!(from_big.frame, ask(&server, &json(MORPHEUS)).frame);
    assert_eq!(from_big.header["byteorder"], ORDER);
}

#[test]
fn members_in_any_order_and_unknown_ones_change_nothing() {
    let server = search_server();
    let odd = format!(
        "{{\"x\":[123456789012345678901.50,{{\"content-length\":7}}],\"content-length\":41,\"content\\u002dtype\":\"text/json\",\
         \"content-encoding\":\"UTF8\",\n\"byteorder\":\"{ORDER}\",\"connection\":\"close\"}}"
    );
    assert_eq!(ask(&server, &frame(odd.as_bytes(), MORPHEUS.as_bytes())).frame, ask(&server, &json(MORPHEUS)).frame);
}

#[test]
fn a_service_of_ones_own_takes_few_lines() {
    let mut count = 0;
    let server = serve(move |request, reply| {
        count += 1;
        match request.text() {
            Ok(text) if request.header().content_type() == "text/json" => {
                reply.result(&format!("{count} {}", text.to_uppercase()))
            }
            Ok(_) => reply.bytes("image/png", "binary", &[b"\x89", b"", &[count]]),
            Err(error) => reply.error(error),
        }
    });
    assert_eq!(ask(&server, &json("[\"straße\"]")).result(), "1 [\"STRASSE\"]");
    let picture = ask(&server, &message("text/plain", "ascii", b"", ""));
    assert_eq!((picture.header["content-type"].as_str(), &picture.content[..]), (Some("image/png"), &[0x89, 2][..]));
    let error = ask(&server, &message("x", "binary", b"", "")).result();
    assert_eq!(error, "Error: unknown content-encoding \"binary\"");
}

#[test]
fn two_requests_in_one_segment_are_both_answered_where_the_connection_is_kept() {
    let server = search_server();
    let mut client = server.client();
    client.write_all(&[kept(&search("ring")), json(&search("x"))].concat()).unwrap();
    let first = Reply::read(&mut client);
    assert!(first.is_kept() && first.result().ends_with("Misty Mountains. 💍"));
    let second = Reply::last(&mut client);
    assert!(!second.is_kept());
    assert_eq!(second.result(), "No match for 'x'.");
}

#[test]
fn of_two_requests_in_one_segment_the_first_is_answered_where_it_is_not_kept() {
    let server = search_server();
    for _ in 0..100 {
        let second = kept(&search(&"x".repeat(10_000)));
        let reply = ask(&server, &[json(&search("a")), second].concat());
        assert!(!reply.is_kept());
        assert_eq!(reply.result(), "No match for 'a'.");
    }
}

#[test]
fn a_thousand_requests_ahead_are_answered_in_order() {
    let server = search_server();
    let mut client = server.client();
    let all: Vec<u8> = (0..1000).flat_map(|n| kept(&search(&n.to_string()))).collect();
    let mut writer = client.try_clone().unwrap();
    let writing = thread::spawn(move || {
        writer.write_all(&all).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    for n in 0..1000 {
        let reply = Reply::read(&mut client);
        assert!(reply.is_kept());
        assert_eq!(reply.result(), format!("No match for '{n}'."));
    }
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    writing.join().unwrap();
}

/// More than the kernel and the queue of one connection take: most are answered only after the peer has said that it sends no more.
#[test]
fn requests_that_wait_for_a_slow_reader_are_answered_after_its_end() {
    let long = pattern(256 << 10, 7);
    let answer = long.clone();
    let server = serve(move |_, reply| reply.bytes("x", "binary", &[&answer]));
    let mut client = server.client();
    client.write_all(&kept("{}").repeat(64)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    for _ in 0..64 {
        assert_same(&Reply::read(&mut client).content, &long);
    }
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_long_request_in_pieces_comes_whole() {
    let server = serve(|request, reply| reply.bytes("x", "binary", &[request.content()]));
    let mut client = server.client();
    let content = pattern(3 << 20, 8);
    let bytes = [message("x", "binary", &content, KEEP), message("x", "binary", &content[1..], "")].concat();
    let mut writer: TcpStream = client.try_clone().unwrap();
    let writing = thread::spawn(move || bytes.chunks(10_007).for_each(|piece| writer.write_all(piece).unwrap()));
    assert_same(&Reply::read(&mut client).content, &content);
    assert_same(&Reply::last(&mut client).content, &content[1..]);
    writing.join().unwrap();
}
