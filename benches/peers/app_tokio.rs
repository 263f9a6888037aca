//! The application protocol on tokio with `serde_json::Value`; a connection that asks for it is kept.

use std::net::TcpListener;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{tokio as runtime, value};

pub fn serve(listener: TcpListener) {
    runtime::accepting(listener, connection);
}

async fn connection(mut stream: TcpStream) {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    while let Ok(1..) = stream.read_buf(&mut input).await {
        let mut kept = true;
        while kept && let Some((header, content, used)) = value::decode(&input) {
            kept = header["connection"] == "keep-alive";
            let (_, value) = value::request(content);
            let result = find(&value).map_or_else(|| format!("No match for '{value}'."), str::to_owned);
            value::encode(&json!({ "result": result }), kept, &mut output);
            input.drain(..used);
        }
        if stream.write_all(&output).await.is_err() || !kept {
            return;
        }
        output.clear();
    }
}

fn find(value: &str) -> Option<&'static str> {
    Some(match value {
        "morpheus" => "Follow the white rabbit. 🐰",
        "ring" => "In the caves beneath the Misty Mountains. 💍",
        "🐶" => "🐾 Playing ball! 🏐",
        _ => return None,
    })
}
