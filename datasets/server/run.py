"""A server answers 17 requests of a client, one connection each, over loopback. Both are processes of
their own, named `server` and `client`."""

import ctypes
import os
import socket

REQUESTS = 17
ASK = b"?" * 100
ANSWER = b"!" * 1000


def name(text):
    PR_SET_NAME = 15
    ctypes.CDLL(None).prctl(PR_SET_NAME, text.encode(), 0, 0, 0)


def receive(connection, size):
    while size > 0:
        size -= len(connection.recv(size))


listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
client = os.fork()
if client == 0:
    name("client")
    listener.close()
    for _ in range(REQUESTS):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(ASK)
            receive(connection, len(ANSWER))
    os._exit(0)
name("server")
for _ in range(REQUESTS):
    connection, _ = listener.accept()
    with connection:
        receive(connection, len(ASK))
        connection.sendall(ANSWER)
os.waitpid(client, 0)
os._exit(0)
