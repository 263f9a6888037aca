"""Sends datagrams from some sockets at once, and demands each back as one. Shows the sockets' own names."""
import socket
import sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
for client in clients:
    client.settimeout(60)
    client.bind((host, 0))
    print("%s:%d" % client.getsockname())
for message in b"one", b"", b"two\n":
    for client in clients:
        client.sendto(message, (host, port))
    for client in clients:
        echo, server = client.recvfrom(65535)
        assert (echo, server) == (message, (host, port)), (echo, server)
