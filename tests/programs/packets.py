"""Sends packets made by hand: `packets.py ping HOST ...`, or `packets.py KIND INTERFACE MAC MAC` with
the frames of that kind, from the first hardware address to the second: `plain`, `tagged`, `odd` (headers
that are rare), `malformed`. The frames of a kind are the same each time."""

import socket
import struct
import sys


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def ipv4(payload, protocol, ihl=5, total=None, options=b"", offset=0, flags=0, id=1, version=4):
    total = ihl * 4 + len(payload) if total is None else total
    head = struct.pack(
        ">BBHHHBBH4s4s", version << 4 | ihl, 0, total, id, flags << 13 | offset // 8, 64, protocol, 0,
        socket.inet_aton("10.99.0.1"), socket.inet_aton("10.99.0.2"),
    ) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ipv6(payload, following, length=None, version=6):
    length = len(payload) if length is None else length
    addresses = [socket.inet_pton(socket.AF_INET6, address) for address in ("fd99::1", "fd99::2")]
    return struct.pack(">IHBB", version << 28, length, following, 61) + b"".join(addresses) + payload


def udp(payload, source=1111, destination=2222, length=None):
    length = len(payload) + 8 if length is None else length
    return struct.pack(">HHHH", source, destination, length, 0) + payload


def tcp(payload=b"", flags=0x18, words=5, options=b"", destination=4444):
    head = struct.pack(">HHIIHHHH", 3333, destination, 0xFFFFFFF0, 7, words << 12 | flags, 501, 0, 0)
    return head + options + payload


def arp(operation, sender):
    # An address of nobody, so that nobody's neighbour is overwritten.
    addresses = socket.inet_aton("10.99.0.77"), b"\0" * 6, socket.inet_aton("10.99.0.2")
    return struct.pack(">HHBBH", 1, 0x800, 6, 4, operation) + sender + b"".join(addresses)


IPV4, ARP, VLAN, IPV6, QINQ = 0x800, 0x806, 0x8100, 0x86DD, 0x88A8


def plain(sender):
    yield IPV4, ipv4(udp(b"hello"), 17)
    yield IPV4, ipv4(udp(b"name", destination=53), 17)
    yield IPV4, ipv4(tcp(b"abc"), 6)
    yield IPV4, ipv4(tcp(b"web", destination=80), 6)
    yield IPV4, ipv4(tcp(b"", flags=2, destination=443), 6)
    yield IPV4, ipv4(struct.pack(">BBHHH", 8, 0, 0, 5, 6) + b"ping", 1)
    yield IPV6, ipv6(udp(b"v6", destination=53), 17)
    yield IPV6, ipv6(tcp(b"v6", destination=80), 6)
    yield IPV6, ipv6(struct.pack(">BBHHH", 128, 0, 0, 5, 6) + b"ping", 58)
    yield ARP, arp(1, sender)
    yield ARP, arp(2, sender) + b"\0" * 18
    yield IPV4, ipv4(b"\0" * 20, 132)


def tagged(sender):
    yield VLAN, struct.pack(">HH", 5, IPV4) + ipv4(udp(b"v"), 17)
    yield VLAN, struct.pack(">HH", 0x6005, IPV4) + ipv4(tcp(b"v"), 6)
    yield VLAN, struct.pack(">HH", 11, IPV6) + ipv6(udp(b"v6"), 17)
    yield QINQ, struct.pack(">HHHH", 7, VLAN, 9, IPV4) + ipv4(udp(b"qq"), 17)


def odd(sender):
    yield IPV4, ipv4(tcp(b"abc", words=8, options=b"\1" * 12, flags=0x1C2), 6)
    yield IPV4, ipv4(udp(b"options"), 17, ihl=7, options=b"\1" * 8)
    yield IPV4, ipv4(tcp(b"x" * 9), 6, ihl=15, options=b"\1" * 40)
    hop_by_hop = struct.pack(">BB6x", 17, 0)
    yield IPV6, ipv6(hop_by_hop + udp(b"hop"), 0)
    yield IPV6, ipv6(struct.pack(">BB6xBB14x", 60, 0, 6, 1) + tcp(b"destination"), 0)
    yield IPV6, ipv6(struct.pack(">BB22x", 17, 2) + udp(b"routing"), 43)
    yield IPV6, ipv6(struct.pack(">BBHI", 17, 0, 1, 0xABCDEF01) + udp(b"f" * 40, length=104), 44)
    yield IPV6, ipv6(struct.pack(">BBHI", 17, 0, 48, 0xABCDEF01) + b"g" * 56, 44)
    yield IPV6, ipv6(struct.pack(">BBHIII", 17, 4, 0, 1, 2, 0) + b"\0" * 8 + udp(b"ah"), 51)
    yield IPV4, ipv4(udp(b"a" * 32, length=108), 17, flags=1, id=77)
    yield IPV4, ipv4(b"b" * 40, 17, flags=1, offset=40, id=77)
    yield IPV4, ipv4(b"c" * 28, 17, offset=80, id=77)
    yield IPV4, ipv4(struct.pack(">HHI", 0x2000, 0x800, 4242) + ipv4(udp(b"in gre"), 17), 47)
    yield IPV4, ipv4(struct.pack(">HHIII", 0xB000, 0x6558, 0, 99, 1) + b"z" * 20, 47)
    inner = sender + sender + b"\x08\0" + ipv4(udp(b"in vxlan"), 17)
    yield IPV4, ipv4(udp(struct.pack(">II", 0x08000000, 1234 << 8) + inner, destination=4789), 17)
    yield 0x0020, b"\xff\xff" + b"n" * 30
    yield 0x88CC, b"q" * 46


def malformed(sender):
    yield IPV4, b""
    yield IPV4, ipv4(udp(b"m"), 17, ihl=15)[:30]
    yield IPV4, ipv4(udp(b"m"), 17, version=5)
    yield IPV4, ipv4(udp(b"m"), 17, ihl=3, total=29)
    yield IPV4, ipv4(udp(b"m"), 17, total=10)
    yield IPV4, ipv4(udp(b"m"), 17, total=500)
    yield IPV4, ipv4(tcp(b"")[:12], 6)
    yield IPV4, ipv4(tcp(b"m", words=3), 6)
    yield IPV4, ipv4(tcp(b"m", words=15), 6)
    yield IPV4, ipv4(b"\0\1\0\2", 17)
    yield IPV4, ipv4(udp(b"m", length=3), 17)
    yield IPV4, ipv4(udp(b"m", length=300), 17)
    yield IPV4, ipv4(b"\x08\0", 1)
    yield IPV4, ipv4(struct.pack(">HH", 0x2000, 0x800), 47)
    yield IPV6, ipv6(b"", 17)[:20]
    yield IPV6, ipv6(udp(b"m"), 17, version=4)
    yield IPV6, ipv6(udp(b"m"), 17, length=900)
    yield IPV6, ipv6(b"\x11", 0)
    yield IPV6, ipv6(struct.pack(">BB6x", 60, 0) * 12 + struct.pack(">BB6x", 17, 0) + udp(b"m"), 60)
    yield ARP, arp(1, sender)[:20]
    yield ARP, struct.pack(">HHBBH", 6, 0x800, 6, 4, 1) + b"\0" * 20
    yield VLAN, b"\0\5"


def ping(hosts):
    for host in hosts:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            raw.settimeout(5)
            for number in range(7):
                message = struct.pack(">BBHHH", 8, 0, 0, 77, number) + b"x" * 32
                message = message[:2] + struct.pack(">H", checksum(message)) + message[4:]
                raw.sendto(message, (host, 0))
                raw.recv(2000)


def main():
    if sys.argv[1] == "ping":
        return ping(sys.argv[2:])
    kind, interface, *addresses = sys.argv[1:]
    sender, receiver = (bytes.fromhex(address.replace(":", "")) for address in addresses)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        for ethertype, packet in globals()[kind](sender):
            raw.send(receiver + sender + struct.pack(">H", ethertype) + packet)


main()
