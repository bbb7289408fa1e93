//! Datagrams to sockets of the same machine.

use std::net::{Ipv4Addr, UdpSocket};

/// Sends `count` datagrams of 32 bytes over the loopback interface, to `addresses` addresses in turn.
pub fn datagrams(count: u64, addresses: u64) {
    let sink = UdpSocket::bind(("0.0.0.0", 0)).expect("a socket");
    let port = sink.local_addr().expect("it is bound").port();
    let sender = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    for at in 0..count {
        let number = (at % addresses) as u32 + 1;
        let address = Ipv4Addr::from(0x7f00_0000 + number);
        sender.send_to(&[0; 32], (address, port)).expect("the address is of this machine");
    }
}
