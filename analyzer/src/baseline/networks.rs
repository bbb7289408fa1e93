//! Addresses of peers, of which many in one network become the network.
//!
//! What is folded is the address; role, protocol and port stay. More than [`ADDRESSES_MAX`] addresses in a network of
//! the first size become that network, more than that many such networks one of the next size, and in the end
//! anywhere. That depends on which addresses there are and not on the order in which they come.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::tree::Fold;

/// Addresses in a network that keep their own names.
const ADDRESSES_MAX: usize = 16;

/// Peers that are kept before they are put together.
const PEERS_AT_ONCE: usize = 4096;

/// Lengths of the prefixes of networks, from small to large.
const LENGTHS_4: [u8; 3] = [24, 16, 0];
const LENGTHS_6: [u8; 3] = [64, 48, 0];

/// A network, or one address of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    fn of(address: IpAddr, length: u8) -> Network {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
            }
        };
        Network { address, length }
    }

    fn whole_length(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }

    fn lengths(address: IpAddr) -> [u8; 3] {
        if address.is_ipv4() { LENGTHS_4 } else { LENGTHS_6 }
    }

    fn parse(text: &str) -> Option<Network> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address.parse().ok()?, length.parse().ok()?),
            None => {
                let address: IpAddr = text.parse().ok()?;
                (address, Network::whole_length(address))
            }
        };
        (length <= Network::whole_length(address)).then(|| Network::of(address, length))
    }

    /// As it is written: without a length where it is one address.
    pub fn text(&self) -> String {
        match self.length == Network::whole_length(self.address) {
            true => self.address.to_string(),
            false => format!("{}/{}", self.address, self.length),
        }
    }

    /// Whether it is all there are.
    pub fn is_anywhere(&self) -> bool {
        self.length == 0
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        self.length > 0 && self.address.is_loopback()
    }
}

/// A peer, taken apart: `client tcp 10.0.0.0/24:443`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// What comes before the address: `client tcp`.
    pub head: String,
    /// Its port, or `*`.
    pub port: String,
    /// Its address or network.
    pub network: Network,
}

impl Peer {
    /// Takes a text apart; none when it has no address, as that of a unix socket.
    pub fn parse(text: &str) -> Option<Peer> {
        let (before, port) = text.rsplit_once(':')?;
        let (head, address) = before.rsplit_once(' ')?;
        let address = address.strip_prefix('[').map_or(address, |rest| rest.trim_end_matches(']'));
        let network = Network::parse(address)?;
        Some(Peer { head: head.to_string(), port: port.to_string(), network })
    }

    fn text(&self) -> String {
        let address = self.network.text();
        match self.network.address.is_ipv4() {
            true => format!("{} {address}:{}", self.head, self.port),
            false => format!("{} [{address}]:{}", self.head, self.port),
        }
    }

    fn within(&self, length: u8) -> Peer {
        Peer { network: Network::of(self.network.address, length), ..self.clone() }
    }
}

/// Peers, put together as they come.
#[derive(Debug, Clone)]
pub struct Peers<T> {
    addressed: BTreeMap<Peer, T>,
    others: BTreeMap<String, T>,
    /// How many there were when they were last put together.
    before: usize,
}

impl<T> Default for Peers<T> {
    fn default() -> Self {
        Peers { addressed: BTreeMap::new(), others: BTreeMap::new(), before: 0 }
    }
}

impl<T: Fold> Peers<T> {
    /// Adds a peer.
    pub fn insert(&mut self, text: &str, value: T) {
        match Peer::parse(text) {
            Some(peer) => {
                put(&mut self.addressed, peer, value);
                if self.addressed.len() >= self.before + PEERS_AT_ONCE {
                    self.compact();
                }
            }
            None => put(&mut self.others, text.to_string(), value),
        }
    }

    /// The peer that one is, or is in the network of.
    pub fn find(&self, text: &str) -> Option<(String, &T)> {
        let Some(peer) = Peer::parse(text) else {
            return self.others.get_key_value(text).map(|(text, value)| (text.clone(), value));
        };
        let found = self.addressed.get_key_value(&peer).or_else(|| {
            let any = |port: &str| Peer { port: port.to_string(), ..peer.clone() };
            // A network written by people may have any length.
            [any(&peer.port), any("*")].iter().find_map(|wanted| {
                (0..=Network::whole_length(peer.network.address))
                    .rev()
                    .find_map(|length| self.addressed.get_key_value(&wanted.within(length)))
            })
        });
        found.map(|(peer, value)| (peer.text(), value))
    }

    /// All peers.
    pub fn into_items(mut self) -> Vec<(String, T)> {
        self.compact();
        let addressed = self.addressed.into_iter().map(|(peer, value)| (peer.text(), value));
        addressed.chain(self.others).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.addressed.len() + self.others.len()
    }

    fn compact(&mut self) {
        for level in 0..LENGTHS_4.len() {
            // None of what is wider already.
            let wide = |peer: &Peer| {
                let wide = peer.within(Network::lengths(peer.network.address)[level]);
                (wide.network.length <= peer.network.length).then_some(wide)
            };
            let mut counts: BTreeMap<Peer, usize> = BTreeMap::new();
            for wide in self.addressed.keys().filter_map(wide) {
                *counts.entry(wide).or_default() += 1;
            }
            // A network comes before what is in it.
            for (peer, value) in std::mem::take(&mut self.addressed) {
                let wide = wide(&peer).filter(|wide| {
                    counts[wide] > ADDRESSES_MAX || self.addressed.contains_key(wide)
                });
                put(&mut self.addressed, wide.unwrap_or(peer), value);
            }
        }
        self.before = self.addressed.len();
    }
}

fn put<K: Ord, T: Fold>(map: &mut BTreeMap<K, T>, key: K, value: T) {
    match map.get_mut(&key) {
        Some(known) => known.fold(value),
        None => _ = map.insert(key, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(texts: &[String]) -> Vec<(String, u32)> {
        let mut peers = Peers::default();
        texts.iter().for_each(|text| peers.insert(text, 1));
        peers.into_items()
    }

    #[test]
    fn a_few_addresses_are_told_and_many_are_a_network() {
        let few: Vec<String> = (1..=16).map(|n| format!("client tcp 10.0.0.{n}:443")).collect();
        assert_eq!(peers(&few).len(), 16);
        let many: Vec<String> = (1..=200).map(|n| format!("client tcp 10.0.0.{n}:443")).collect();
        assert_eq!(peers(&many), [("client tcp 10.0.0.0/24:443".to_string(), 200)]);
    }

    #[test]
    fn ports_and_roles_are_apart() {
        let mut texts: Vec<String> =
            (1..=200).map(|n| format!("server tcp 10.0.0.{n}:*")).collect();
        texts.push("client tcp 10.0.0.1:22".to_string());
        texts.push("client unix_stream /run/a b:c".to_string());
        let items = peers(&texts);
        let names: Vec<&str> = items.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(
            names,
            ["client tcp 10.0.0.1:22", "server tcp 10.0.0.0/24:*", "client unix_stream /run/a b:c"]
        );
    }

    #[test]
    fn the_world_is_one_and_the_order_does_not_matter() {
        let mut texts: Vec<String> = (0..60_000u32)
            .map(|n| format!("server tcp {}:*", Ipv4Addr::from(n.wrapping_mul(2_654_435_761))))
            .collect();
        texts.extend((0..300).map(|n| format!("server tcp [2001:db8::{n:x}]:*")));
        let one = peers(&texts);
        assert_eq!(one.len(), 2, "{one:?}");
        assert!(one.contains(&("server tcp 0.0.0.0/0:*".to_string(), 60_000)), "{one:?}");
        assert!(one.contains(&("server tcp [2001:db8::/64]:*".to_string(), 300)), "{one:?}");
        texts.reverse();
        assert_eq!(peers(&texts), one);
    }

    #[test]
    fn a_peer_is_found_by_its_network() {
        let mut peers = Peers::default();
        for text in [
            "client tcp 10.0.0.0/24:443",
            "client udp 192.0.2.1:*",
            "client tcp [2001:db8::/32]:80",
        ] {
            peers.insert(text, 1);
        }
        let check = |text: &str, found: Option<&str>| {
            assert_eq!(peers.find(text).map(|(text, _)| text).as_deref(), found, "{text}");
        };
        check("client tcp 10.0.0.9:443", Some("client tcp 10.0.0.0/24:443"));
        check("client tcp 10.0.1.9:443", None);
        check("client tcp 10.0.0.9:80", None);
        check("server tcp 10.0.0.9:443", None);
        check("client udp 192.0.2.1:53", Some("client udp 192.0.2.1:*"));
        check("client tcp [2001:db8:7::1]:80", Some("client tcp [2001:db8::/32]:80"));
        check("nonsense", None);
    }
}
