//! Names of what a socket is and does, with the numbers that the kernel side sends.

/// Names by number, for C and for a column.
#[derive(Clone, Copy, Debug)]
pub struct Enumeration {
    /// What the constants of the C header begin with, behind `EBREC_`.
    pub prefix: &'static str,
    /// The names; numbers are permanent.
    pub names: &'static [(u32, &'static str)],
}

impl Enumeration {
    /// The name of a number; none for what only a newer ebrec knows.
    pub fn name(&self, number: u32) -> Option<&'static str> {
        self.names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
    }
}

/// What a socket speaks.
pub const PROTOCOLS: Enumeration = Enumeration {
    prefix: "PROTOCOL",
    names: &[
        (1, "tcp"),
        (2, "udp"),
        (3, "unix_stream"),
        (4, "unix_dgram"),
        (5, "unix_seqpacket"),
        (6, "udplite"),
        (7, "icmp"),
        (8, "raw"),
        (9, "mptcp"),
        (10, "sctp"),
    ],
};

/// What part a socket has.
pub const ROLES: Enumeration = Enumeration {
    prefix: "ROLE",
    names: &[(1, "client"), (2, "server"), (3, "listener"), (4, "peer")],
};

/// States: those of the kernel by its numbers, and what is said of sockets without a connection.
pub const STATES: Enumeration = Enumeration {
    prefix: "STATE",
    names: &[
        (1, "ESTABLISHED"),
        (2, "SYN_SENT"),
        (3, "SYN_RECV"),
        (4, "FIN_WAIT1"),
        (5, "FIN_WAIT2"),
        (6, "TIME_WAIT"),
        (7, "CLOSE"),
        (8, "CLOSE_WAIT"),
        (9, "LAST_ACK"),
        (10, "LISTEN"),
        (11, "CLOSING"),
        (12, "NEW_SYN_RECV"),
        (13, "BOUND_INACTIVE"),
        (64, "UNCONNECTED"),
    ],
};

/// What happens to a socket.
pub const SOCKET_EVENTS: Enumeration = Enumeration {
    prefix: "SOCKET",
    names: &[
        (1, "state"),
        (2, "retransmit"),
        (3, "reset_sent"),
        (4, "reset_received"),
        (5, "drop"),
        (6, "first_use"),
        (7, "error"),
    ],
};

/// All of them.
pub const ENUMERATIONS: [&Enumeration; 4] = [&PROTOCOLS, &ROLES, &STATES, &SOCKET_EVENTS];
