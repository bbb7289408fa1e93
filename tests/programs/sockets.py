"""Uses sockets of all kinds in known ways, and prints for each what went through it.

A line is: inode number, protocol, bytes sent, bytes received, sends, receives; `-` is a number that the
kernel decides. What a socket was used for by several processes is on several lines, to be added up.
Argument: how many of each kind.
"""

import collections
import os
import socket
import struct
import sys
import tempfile

COUNT = int(sys.argv[1])
NAMES = {
    (socket.AF_INET, socket.SOCK_STREAM): "tcp",
    (socket.AF_INET6, socket.SOCK_STREAM): "tcp",
    (socket.AF_INET, socket.SOCK_DGRAM): "udp",
    (socket.AF_INET6, socket.SOCK_DGRAM): "udp",
    (socket.AF_UNIX, socket.SOCK_STREAM): "unix_stream",
    (socket.AF_UNIX, socket.SOCK_DGRAM): "unix_dgram",
    (socket.AF_UNIX, socket.SOCK_SEQPACKET): "unix_seqpacket",
}
told = collections.defaultdict(lambda: [0, 0, 0, 0])


def count(sock, sent=None, received=None):
    """Notes a call's result; nothing received is the end of a stream, which is no message."""
    name = NAMES[sock.family, sock.type]
    entry = told[os.fstat(sock.fileno()).st_ino, name]
    if sent is not None:
        entry[0] += sent
        if entry[2] is not None:
            entry[2] += 1
    if received is not None and (received or name in ("udp", "unix_dgram")):
        entry[1] += received
        entry[3] += 1


def send(sock, size):
    left = size
    while left:
        done = sock.send(b"x" * left)
        count(sock, sent=done)
        left -= done


def receive(sock, size):
    """Receives `size` bytes, or until the end."""
    left = size
    while left:
        data = sock.recv(min(left, 65536))
        count(sock, received=len(data))
        if not data:
            break
        left -= len(data)


def until_end(sock):
    receive(sock, 1 << 40)


def tell():
    for (inode, name), numbers in told.items():
        words = [inode, name, *("-" if number is None else number for number in numbers)]
        # In one write, with PYTHONUNBUFFERED too: another process may be telling its own.
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()
    told.clear()


def child(job, *args):
    """Runs a job in a process of its own."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        told.clear()
        job(*args)
        tell()
        os._exit(0)
    return pid


def listener(family, address, kind=socket.SOCK_STREAM):
    sock = socket.socket(family, kind)
    sock.bind(address)
    sock.listen(COUNT + 8)
    return sock


def serve(server, jobs):
    """Accepts a connection for each job."""
    for job in jobs:
        sock, _ = server.accept()
        job(sock)
        sock.close()


def connect(server, job):
    sock = socket.socket(server.family, server.type)
    sock.connect(server.getsockname())
    job(sock)
    sock.close()


def reset(sock):
    """Closing will send a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def echo(sock):
    data = sock.recv(65536)
    while data:
        count(sock, received=len(data))
        sock.sendall(data)
        count(sock, sent=len(data))
        data = sock.recv(65536)


def peek(sock):
    assert sock.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL) == b"xxxxx"
    receive(sock, 7)
    until_end(sock)


def send_file(sock, size=300_000):
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        offset = 0
        while offset < size:
            done = os.sendfile(sock.fileno(), file.fileno(), offset, size - offset)
            count(sock, sent=done)
            # The kernel sends a file in parts of its own choice.
            told[os.fstat(sock.fileno()).st_ino, "tcp"][2] = None
            offset += done


def spliced(sock):
    """Receives everything by splice, which is no receive for the socket layer."""
    out, into = os.pipe()
    while True:
        done = os.splice(sock.fileno(), into, 65536)
        if not done:
            break
        told[os.fstat(sock.fileno()).st_ino, "tcp"][1] += done
        os.read(out, done)
    os.close(out)
    os.close(into)


def half_closed(sock):
    """Sends, ends sending, and receives the answer until its end."""
    send(sock, 1009)
    sock.shutdown(socket.SHUT_WR)
    until_end(sock)


def answer(sock):
    until_end(sock)
    send(sock, 70_001)


def stream_jobs(index):
    """What a client and its server do: the one, the other."""
    return [
        (lambda s: (send(s, 101 + index), receive(s, 101 + index)), echo),
        (half_closed, answer),
        (lambda s: send(s, 12_007), peek),
    ]


def tcp_jobs(index):
    def unread(sock):
        receive(sock, 3)

    def is_reset(sock):
        receive(sock, 3)
        try:
            until_end(sock)
        except ConnectionResetError:
            pass

    return stream_jobs(index) + [
        (send_file, spliced),
        (lambda s: send(s, 5003), unread),
        (lambda s: (send(s, 3), reset(s)), is_reset),
    ]


def streams(family, address, jobs_of, kind=socket.SOCK_STREAM, client_address=None):
    jobs = [job for index in range(COUNT) for job in jobs_of(index)]
    server = listener(family, address, kind)
    pid = child(serve, server, [job[1] for job in jobs])
    for client, _ in jobs:
        if client_address:
            sock = socket.socket(client_address[0], kind)
            sock.connect((client_address[1], server.getsockname()[1]))
            client(sock)
            sock.close()
        else:
            connect(server, client)
    server.close()
    os.waitpid(pid, 0)


def forked():
    """The parent accepts, a child for each connection serves."""
    server = listener(socket.AF_INET, ("127.0.0.1", 0))
    pids = []
    for _ in range(COUNT):
        client = socket.socket()
        client.connect(server.getsockname())
        sock, _ = server.accept()
        # The child closes its copy of the other end, else it would wait for itself.
        pids.append(child(lambda: (client.close(), echo(sock))))
        sock.close()
        send(client, 211)
        receive(client, 211)
        client.close()
    server.close()
    for pid in pids:
        os.waitpid(pid, 0)


def refused():
    """Nobody listens at the port."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    for _ in range(COUNT):
        with socket.socket() as client:
            assert client.connect_ex(sock.getsockname()) != 0
    sock.close()


def datagrams(family, host):
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind((host, 0))
    for index in range(COUNT):
        client = socket.socket(family, socket.SOCK_DGRAM)
        if index % 2:
            client.connect(server.getsockname())
            send(client, 17 + index)
        else:
            count(client, sent=client.sendto(b"y" * (17 + index), server.getsockname()))
        data, whence = server.recvfrom(4096)
        count(server, received=len(data))
        count(server, sent=server.sendto(data + b"!", whence))
        assert len(client.recv(4096, socket.MSG_PEEK)) == 18 + index
        receive(client, 18 + index)
        client.close()
    server.close()


def unix_datagrams(folder):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(folder + "/datagrams")
    for index in range(COUNT):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        client.connect(folder + "/datagrams")
        send(client, 31 + index)
        client.close()
        receive(server, 31 + index)
    server.close()


def pairs():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        for index in range(COUNT):
            one, other = socket.socketpair(socket.AF_UNIX, kind)
            send(one, 41 + index)
            receive(other, 41 + index)
            send(other, 7)
            receive(one, 7)
            one.close()
            other.close()


def main():
    with tempfile.TemporaryDirectory() as folder:
        streams(socket.AF_INET, ("127.0.0.1", 0), tcp_jobs)
        streams(socket.AF_INET6, ("::1", 0), tcp_jobs)
        # A server of both versions has addresses of version 4 mapped into version 6.
        streams(socket.AF_INET6, ("::", 0), tcp_jobs, client_address=(socket.AF_INET, "127.0.0.1"))
        streams(socket.AF_UNIX, folder + "/stream", stream_jobs)
        streams(socket.AF_UNIX, "\0abstract-" + str(os.getpid()), stream_jobs)
        streams(socket.AF_UNIX, folder + "/packets", lambda _: [
            (lambda s: send(s, 1021), lambda s: receive(s, 1021)),
        ], socket.SOCK_SEQPACKET)
        forked()
        refused()
        datagrams(socket.AF_INET, "127.0.0.1")
        datagrams(socket.AF_INET6, "::1")
        unix_datagrams(folder)
        pairs()
    tell()


main()
