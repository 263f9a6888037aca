"""Shows its port; loses some datagrams, and sends back each of the rest twice until it has heard some sockets."""
import socket
import sys

lost, left = int(sys.argv[1]), int(sys.argv[2])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.settimeout(60)
server.bind(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
for _ in range(lost):
    server.recvfrom(65535)
heard = set()
while len(heard) < left:
    message, client = server.recvfrom(65535)
    heard.add(client)
    server.sendto(message, client)
    server.sendto(message, client)
