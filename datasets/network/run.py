"""Connections with known bytes over loopback: TCP over IPv4 and IPv6, one that is refused, UDP, and a pair
of unix sockets. The server and the client are processes of their own, named `server` and `client`."""

import ctypes
import os
import socket

ASK, ANSWER = b"?" * 300, b"!" * 7000
DATAGRAMS, DATAGRAM = 11, b"." * 123


def name(text):
    PR_SET_NAME = 15
    ctypes.CDLL(None).prctl(PR_SET_NAME, text.encode(), 0, 0, 0)


def receive(connection, size):
    while size > 0:
        size -= len(connection.recv(size))


listeners = [
    socket.create_server(("127.0.0.1", 0)),
    socket.create_server(("::1", 0), family=socket.AF_INET6),
]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
unused = socket.socket()
unused.bind(("127.0.0.1", 0))
refusing = unused.getsockname()
unused.close()
ours, theirs = socket.socketpair()
child = os.fork()
if child == 0:
    name("client")
    ours.close()
    for listener in listeners:
        with socket.create_connection(listener.getsockname()[:2]) as connection:
            connection.sendall(ASK)
            receive(connection, len(ANSWER))
    try:
        socket.create_connection(refusing)
    except ConnectionRefusedError:
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(udp.getsockname())
        for _ in range(DATAGRAMS):
            sender.send(DATAGRAM)
    theirs.sendall(b"done")
    os._exit(0)
name("server")
theirs.close()
for listener in listeners:
    connection, _ = listener.accept()
    with connection:
        receive(connection, len(ASK))
        connection.sendall(ANSWER)
for _ in range(DATAGRAMS):
    udp.recv(2000)
receive(ours, 4)
os.waitpid(child, 0)
