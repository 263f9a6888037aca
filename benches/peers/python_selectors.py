"""The standard library's selectors: echo on one thread, on the port named."""

import selectors
import socket
import sys


def accept(key, mask):
    connection, _ = key.fileobj.accept()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting[connection] = b""
    selector.register(connection, selectors.EVENT_READ, echo)


def echo(key, mask):
    connection = key.fileobj
    try:
        if mask & selectors.EVENT_WRITE:
            data = waiting[connection]
        else:
            data = connection.recv(65536)
            if not data:
                raise ConnectionResetError
        rest = data[connection.send(data) :]
    except BlockingIOError:
        rest = data if mask & selectors.EVENT_WRITE else b""
    except OSError:
        selector.unregister(connection)
        connection.close()
        del waiting[connection]
        return
    if bool(rest) != bool(waiting[connection]):
        events = selectors.EVENT_WRITE if rest else selectors.EVENT_READ
        selector.modify(connection, events, echo)
    waiting[connection] = rest


selector = selectors.DefaultSelector()
# What the kernel refused of a connection's bytes.
waiting = {}
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ, accept)
while True:
    for key, mask in selector.select():
        key.data(key, mask)
