//! Unix-domain sockets and the files that stand for them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use selkey::socket::{Accept, Options, accept, connect, listen, local_name};

use crate::harness::{PATIENCE, Spot, alone};

#[test]
fn the_file_comes_and_goes_with_the_listener() {
    let spot = Spot::new();
    let listener = listen(&spot.address(), &Options::default()).unwrap();
    assert_eq!(local_name(&listener), spot.address().to_string());
    assert!(fs::symlink_metadata(&spot.0).unwrap().file_type().is_socket());
    connect(&spot.address(), PATIENCE).unwrap();
    assert!(matches!(accept(&listener).unwrap(), Accept::Connection(_)));
    drop(listener);
    assert!(!spot.0.exists());
}

#[test]
fn what_is_no_socket_is_never_removed() {
    let spot = Spot::new();
    fs::write(&spot.0, "a letter").unwrap();
    let error = listen(&spot.address(), &Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains(spot.0.to_str().unwrap()), "{error}");
    assert_eq!(fs::read_to_string(&spot.0).unwrap(), "a letter");
}

#[test]
fn a_link_to_nowhere_is_never_removed() {
    let spot = Spot::new();
    std::os::unix::fs::symlink("/nonexistent/selkey", &spot.0).unwrap();
    assert_eq!(listen(&spot.address(), &Options::default()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(fs::symlink_metadata(&spot.0).unwrap().file_type().is_symlink());
}

#[test]
fn a_socket_somebody_listens_on_is_left_alone() {
    let spot = Spot::new();
    let first = listen(&spot.address(), &Options::default()).unwrap();
    assert_eq!(listen(&spot.address(), &Options::default()).unwrap_err().kind(), ErrorKind::AddrInUse);
    connect(&spot.address(), PATIENCE).unwrap();
    drop(first);
}

#[test]
fn a_socket_left_behind_is_replaced() {
    // Alone, since whoever starts a process elsewhere has a copy of the dropped listener for a moment.
    alone(concat!(module_path!(), "::a_socket_left_behind_is_replaced"), || {
        let spot = Spot::new();
        // std's listener leaves its file.
        drop(UnixListener::bind(&spot.0).unwrap());
        assert!(spot.0.exists());
        let _listener = listen(&spot.address(), &Options::default()).unwrap();
        connect(&spot.address(), PATIENCE).unwrap();
    });
}

#[test]
fn a_file_that_another_put_there_since_is_left() {
    let spot = Spot::new();
    let ours = listen(&spot.address(), &Options::default()).unwrap();
    fs::remove_file(&spot.0).unwrap();
    let _theirs = UnixListener::bind(&spot.0).unwrap();
    drop(ours);
    assert!(spot.0.exists());
}

#[test]
fn a_path_too_long_for_a_socket_is_named() {
    let long = "x".repeat(200);
    let error = listen(&Path::new(&long).into(), &Options::default()).unwrap_err();
    assert!(error.to_string().contains(&long), "{error}");
}
