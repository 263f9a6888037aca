"""Sends requests of the application protocol, checks each reply's form, and shows it: the bytes of the request and of the reply in hex.

Arguments: host, port, byteorder, bytes per send (0: all at once), how (close, keep, pipeline, twice), action, values."""
import json
import socket
import struct
import sys

host, port, byteorder, piece, how, action = sys.argv[1:7]
values = sys.argv[7:]
keep = how in ("keep", "pipeline")


def request(value):
    if action == "search":
        kind, encoding = "text/json", "utf-8"
        content = json.dumps({"action": action, "value": value}, ensure_ascii=False).encode()
    else:
        kind, encoding = "binary/custom-client-binary-type", "binary"
        content = (action + value).encode()
    header = {
        "byteorder": byteorder,
        "content-type": kind,
        "content-encoding": encoding,
        "content-length": len(content),
    }
    if keep:
        header["connection"] = "keep-alive"
    header = json.dumps(header, ensure_ascii=False).encode()
    return struct.pack(">H", len(header)) + header + content


def connect():
    stream = socket.create_connection((host, int(port)), timeout=60)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def send(stream, data):
    step = int(piece) or len(data)
    for start in range(0, len(data), step):
        stream.sendall(data[start : start + step])


def exactly(stream, count):
    data = b""
    while len(data) < count:
        part = stream.recv(count - len(data))
        assert part, "closed after %d of %d bytes" % (len(data), count)
        data += part
    return data


def reply(stream):
    prefix = exactly(stream, 2)
    header = exactly(stream, struct.unpack(">H", prefix)[0])
    members = json.loads(header.decode())
    assert list(members)[:4] == ["byteorder", "content-type", "content-encoding", "content-length"], members
    assert json.dumps(members, ensure_ascii=False).encode() == header, header
    assert members["byteorder"] == sys.byteorder
    assert (members.get("connection") == "keep-alive") == keep, members
    content = exactly(stream, members["content-length"])
    if members["content-type"] == "text/json":
        parsed = json.loads(content.decode(members["content-encoding"]))
        assert json.dumps(parsed, ensure_ascii=False).encode() == content, content
    return prefix + header + content


def show(sent, got):
    print(sent.hex(), got.hex())


requests = [request(value) for value in values]
if how == "close":
    for data in requests:
        with connect() as stream:
            send(stream, data)
            show(data, reply(stream))
            assert stream.recv(1) == b""
elif how == "twice":
    # All in one segment, and only the first is answered; then an orderly end.
    with connect() as stream:
        send(stream, b"".join(requests))
        show(requests[0], reply(stream))
        assert stream.recv(1) == b""
else:
    with connect() as stream:
        if how == "pipeline":
            send(stream, b"".join(requests))
        for data in requests:
            if how == "keep":
                send(stream, data)
            show(data, reply(stream))
        stream.shutdown(socket.SHUT_WR)
        assert stream.recv(1) == b""
