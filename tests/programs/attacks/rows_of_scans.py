"""Rows made by hand, as in `rows`, of checks on ports and addresses that are tried."""

from rows import PROGRAM, check
from rows_of_behaviour import HERE, OUTSIDE, link, machine, syn


# port_scan and host_scan: each port of an address, and an address after the other with the same port.
def ports(count=20):
    return [(OUTSIDE, 8000 + number) for number in range(count)]


def addresses(count=20):
    return [(f"203.0.113.{20 + number}", 22) for number in range(count)]


def scans(ends, opened=0, pace=0.1, **values):
    """Connects to each of these, of which the first are open."""
    made = machine()
    for number, (address, port) in enumerate(ends):
        state = "ESTABLISHED" if number < opened else "SYN_SENT"
        made.add(
            "connections", PROGRAM,
            **link(pace * number, **{"remote_address": address, "remote_port": port, "state": state, **values})[1],
        )
    return made


def requests(ends, *directions, flags="SYN"):
    """Packets to each of these, as the interface sends them, receives them, or, from a process to another, both."""
    made = machine()
    for number, (address, port) in enumerate(ends):
        for direction in directions:
            packet = syn(
                number, direction=direction, source_address=HERE, destination_address=address, destination_port=port,
                tcp_flags=flags,
            )[1]
            made.add("packets", PROGRAM, **packet)
    return made


for name, ends in [("port_scan", ports), ("host_scan", addresses)]:
    check(
        name,
        # A scan of this machine by itself, the last, is told once.
        [
            scans(ends()), scans(ends(25), opened=5), requests(ends(), "sent"), requests(ends(), "received"),
            requests(ends(), "sent", "received"),
        ],
        [
            scans(ends(19)), scans(ends(), opened=1), scans(ends(), pace=4.0), scans(ends(), role="server"),
            scans(ends(), protocol="udp"), scans(ends()[:1] * 20), requests(ends(), "sent", flags="RST"),
        ],
    )
