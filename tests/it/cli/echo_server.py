"""Shows its port, sends back what some clients say until each has left, then shows how much that was."""
import selectors
import socket
import sys

left, total = int(sys.argv[1]), 0
listener = socket.create_server(("127.0.0.1", 0), backlog=100)
print(listener.getsockname()[1], flush=True)
with selectors.DefaultSelector() as selector:
    selector.register(listener, selectors.EVENT_READ, None)
    while left:
        ready = selector.select(60)
        assert ready, "nobody speaks"
        for key, events in ready:
            if key.data is None:
                stream = listener.accept()[0]
                stream.setblocking(False)
                selector.register(stream, selectors.EVENT_READ, bytearray())
                continue
            stream, unsent = key.fileobj, key.data
            if events & selectors.EVENT_READ:
                piece = stream.recv(16)
                if not piece:
                    selector.unregister(stream)
                    stream.close()
                    left -= 1
                    continue
                unsent += piece
                total += len(piece)
            if events & selectors.EVENT_WRITE:
                del unsent[: stream.send(unsent)]
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent else 0)
            selector.modify(stream, wanted, unsent)
print(total, "bytes")
