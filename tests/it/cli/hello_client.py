"""Shows its own name and the welcome, tells the names and shows each answer, says exit and waits for the end."""
import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60) as stream:
    print("%s:%d" % stream.getsockname())
    print(stream.recv(1024).decode("utf-8"))
    for name in sys.argv[3:]:
        stream.sendall(name.encode("utf-8"))
        print(stream.recv(2048).decode("utf-8"))
    stream.sendall(b"exit")
    assert stream.recv(1024) == b"", "it says more after exit"
