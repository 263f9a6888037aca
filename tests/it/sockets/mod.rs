//! What the crate tells about sockets: of one's own, and of the machine.

#[cfg(target_os = "linux")]
mod own;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod program;

/// Elsewhere it says so.
#[cfg(not(target_os = "linux"))]
#[test]
fn the_state_is_a_plain_error() {
    let listener = selkey::socket::listen(&("127.0.0.1", 0).into()).unwrap();
    let error = selkey::socket::state(&listener).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
}
