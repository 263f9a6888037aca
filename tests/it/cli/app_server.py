"""Shows its port, answers some requests of the application protocol, each connection with one, and shows the bytes of each request in hex.

Arguments: bytes per send (0: all at once), how many requests, whether connections are kept (keep or close)."""
import json
import selectors
import socket
import struct
import sys

piece, left, keep = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "keep"
TABLE = {
    "morpheus": "Follow the white rabbit. \U0001f430",
    "ring": "In the caves beneath the Misty Mountains. \U0001f48d",
    "\U0001f436": "\U0001f43e Playing ball! \U0001f3d0",
}


class Connection:
    def __init__(self):
        self.received = b""
        self.unsent = b""
        self.done = False

    def message(self):
        """The first whole message, taken off: its bytes, header and content."""
        data = self.received
        if len(data) < 2:
            return None
        length = struct.unpack(">H", data[:2])[0]
        if len(data) < 2 + length:
            return None
        header = json.loads(data[2 : 2 + length].decode())
        assert json.dumps(header, ensure_ascii=False).encode() == data[2 : 2 + length], data
        assert header["byteorder"] == sys.byteorder
        end = 2 + length + header["content-length"]
        if len(data) < end:
            return None
        self.received = data[end:]
        return data[:end], header, data[2 + length : end]

    def answer(self, header, content):
        if header["content-type"] == "text/json":
            request = json.loads(content.decode(header["content-encoding"]))
            assert json.dumps(request, ensure_ascii=False).encode() == content, content
            assert request["action"] == "search", request
            value = request["value"]
            result = {"result": TABLE.get(value) or "No match for '%s'." % value}
            kind, encoding = "text/json", "utf-8"
            content = json.dumps(result, ensure_ascii=False).encode()
        else:
            assert header["content-type"] == "binary/custom-client-binary-type", header
            kind, encoding = "binary/custom-server-binary-type", "binary"
            content = b"First 10 bytes of request: " + content[:10]
        reply = {
            "byteorder": sys.byteorder,
            "content-type": kind,
            "content-encoding": encoding,
            "content-length": len(content),
        }
        self.done = not (keep and header.get("connection") == "keep-alive")
        if not self.done:
            reply["connection"] = "keep-alive"
        reply = json.dumps(reply, ensure_ascii=False).encode()
        self.unsent += struct.pack(">H", len(reply)) + reply + content


listener = socket.create_server(("127.0.0.1", 0), backlog=100)
print(listener.getsockname()[1], flush=True)
opened = 0
with selectors.DefaultSelector() as selector:
    selector.register(listener, selectors.EVENT_READ, None)
    while left or len(selector.get_map()) > 1:
        ready = selector.select(60)
        assert ready, "nobody speaks"
        for key, events in ready:
            connection, stream = key.data, key.fileobj
            if connection is None:
                stream = listener.accept()[0]
                stream.setblocking(False)
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(stream, selectors.EVENT_READ, Connection())
                opened += 1
                continue
            if events & selectors.EVENT_READ:
                data = stream.recv(piece or 4096)
                if not data:
                    assert not connection.received, connection.received
                    selector.unregister(stream)
                    stream.close()
                    continue
                connection.received += data
                message = connection.message()
                if message:
                    print(message[0].hex(), flush=True)
                    connection.answer(*message[1:])
                    left -= 1
            if events & selectors.EVENT_WRITE:
                sent = stream.send(connection.unsent[: piece or None])
                connection.unsent = connection.unsent[sent:]
                if connection.done and not connection.unsent:
                    selector.unregister(stream)
                    stream.close()
                    continue
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.unsent else 0)
            selector.modify(stream, wanted, connection)
print(opened, "connections")
