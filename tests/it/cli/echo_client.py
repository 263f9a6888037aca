"""Says two messages on each of some connections at once, and demands them back. Shows the connections' own names."""
import socket
import sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
streams = [socket.create_connection((host, port), timeout=60) for _ in range(count)]
for number in 1, 2:
    for stream in streams:
        stream.sendall(b"Message %d from client." % number)
for stream in streams:
    back = b""
    while len(back) < 44:
        piece = stream.recv(1024)
        assert piece, "closed too early"
        back += piece
    assert back == b"Message 1 from client.Message 2 from client.", back
    print("%s:%d" % stream.getsockname())
    stream.close()
