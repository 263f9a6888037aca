"""Says these many bytes to an echo server, piece by piece, and demands each piece back. Shows the connection's own name."""
import socket
import sys

host, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = bytes(n * 7 % 256 for n in range(size))
with socket.create_connection((host, port), timeout=60) as stream:
    print("%s:%d" % stream.getsockname())
    for at in range(0, size, 1000):
        piece = data[at : at + 1000]
        stream.sendall(piece)
        back = b""
        while len(back) < len(piece):
            more = stream.recv(1024)
            assert more, "closed too early"
            back += more
        assert back == piece, back
    stream.shutdown(socket.SHUT_WR)
    assert stream.recv(1024) == b"", "it says more than it was told"
