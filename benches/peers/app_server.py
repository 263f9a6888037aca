"""The application protocol with asyncio, json and struct, on the port named; a connection that asks for it is kept."""

import asyncio
import json
import socket
import struct
import sys

TABLE = {
    "morpheus": "Follow the white rabbit. \U0001f430",
    "ring": "In the caves beneath the Misty Mountains. \U0001f48d",
    "\U0001f436": "\U0001f43e Playing ball! \U0001f3d0",
}


def reply_to(header, content):
    request = json.loads(content.decode(header["content-encoding"]))
    value = request["value"]
    result = TABLE.get(value) or f"No match for '{value}'."
    content = json.dumps({"result": result}, ensure_ascii=False).encode("utf-8")
    header = {
        "byteorder": sys.byteorder,
        "content-type": "text/json",
        "content-encoding": "utf-8",
        "content-length": len(content),
    } | ({"connection": "keep-alive"} if header.get("connection") == "keep-alive" else {})
    header = json.dumps(header, ensure_ascii=False).encode("utf-8")
    return struct.pack(">H", len(header)) + header + content


class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.data = b""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.data += data
        while len(self.data) >= 2:
            (length,) = struct.unpack_from(">H", self.data)
            if len(self.data) < 2 + length:
                return
            header = json.loads(self.data[2 : 2 + length].decode("utf-8"))
            end = 2 + length + header["content-length"]
            if len(self.data) < end:
                return
            self.transport.write(reply_to(header, self.data[2 + length : end]))
            self.data = self.data[end:]
            if header.get("connection") != "keep-alive":
                self.transport.close()
                return


async def main():
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


asyncio.run(main())
