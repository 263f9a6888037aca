//! tokio, a task for each connection on a current-thread runtime.

use std::net::TcpListener;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

pub fn serve(listener: TcpListener) {
    accepting(listener, echo);
}

/// A task of `serve` for each connection.
pub fn accepting<F: Future<Output = ()> + 'static>(listener: TcpListener, serve: fn(TcpStream) -> F) {
    listener.set_nonblocking(true).unwrap();
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::task::spawn_local(serve(stream));
        }
    });
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = Vec::with_capacity(64 << 10);
    while let Ok(1..) = stream.read_buf(&mut buffer).await {
        if stream.write_all(&buffer).await.is_err() {
            return;
        }
        buffer.clear();
    }
}
