"""Shows its port and echoes to one client after the other, each byte in a send of its own; then shows what each said."""
import socket
import sys

with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    listener.settimeout(60)
    for _ in range(int(sys.argv[1])):
        stream, _ = listener.accept()
        with stream:
            stream.settimeout(60)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said = b""
            while data := stream.recv(1024):
                said += data
                for byte in data:
                    stream.sendall(bytes([byte]))
            print(said)
