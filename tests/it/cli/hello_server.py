"""Shows its port and greets one client, then shows what it was told."""
import socket

with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    listener.settimeout(60)
    stream, _ = listener.accept()
    with stream:
        stream.settimeout(60)
        stream.sendall(b"Welcome!")
        while True:
            data = stream.recv(1024)
            print(data.decode("utf-8"))
            if not data or data == b"exit":
                break
            stream.sendall(b"Hello, " + data + b"!")
