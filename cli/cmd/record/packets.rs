//! The options of `ebrec record` about packets: which, where, and how much of them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use recorder::{NETNS_MAX, PacketFilter, Packets, SNAPLEN_MAX, Source, Sources};

/// The options.
#[derive(clap::Args, Debug)]
pub struct PacketArgs {
    /// Record only packets that are so: "tcp and port 443", "host 10.0.0.1", "not arp", ...
    ///
    /// The words are tcpdump's: host, net, port, portrange, each with src or dst before it; tcp, udp,
    /// icmp, icmp6, arp, ip, ip6, gre, igmp, esp, ah, sctp; interface NAME; and, or, not,
    /// parentheses.
    #[arg(long, value_name = "EXPR")]
    packet_filter: Option<String>,
    /// Record only packets at this interface; may be repeated
    #[arg(long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,
    /// Keep the first bytes of each packet; without it only headers are read
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = clap::value_parser!(u32).range(0..=i64::from(SNAPLEN_MAX)))]
    snaplen: u32,
    /// Record packets and flows in this network namespace whoever they are of; may be repeated
    ///
    /// A name of `ip netns`, or a file such as /proc/PID/ns/net.
    #[arg(long, value_name = "NAME")]
    netns: Vec<PathBuf>,
}

impl PacketArgs {
    /// What they ask for, of these sources.
    pub fn packets(&self, sources: &Sources) -> anyhow::Result<Packets> {
        let is_of_packets =
            self.packet_filter.is_some() || !self.interfaces.is_empty() || self.snaplen > 0;
        if is_of_packets && !sources.has(Source::Packets) {
            bail!(
                "--packet-filter, --interface and --snaplen choose among packets, which --sources leaves out: add +packets to --sources"
            );
        }
        if !self.netns.is_empty()
            && ![Source::Packets, Source::Network].iter().any(|s| sources.has(*s))
        {
            bail!(
                "--netns chooses among packets and flows, which --sources leaves out: add +network to --sources"
            );
        }
        if self.netns.len() > NETNS_MAX {
            bail!("--netns can be given at most {NETNS_MAX} times");
        }
        let filter = PacketFilter::parse(self.packet_filter.as_deref(), &self.interfaces)?;
        if let Some(filter) = &filter {
            filter.check_interfaces()?;
        }
        let netns = self.netns.iter().map(|name| namespace(name)).collect::<anyhow::Result<_>>()?;
        Ok(Packets { filter, netns, snaplen: self.snaplen })
    }
}

/// The number of a network namespace.
fn namespace(name: &Path) -> anyhow::Result<u32> {
    // A path that begins with a slash replaces the folder.
    let file = Path::new("/run/netns").join(name).metadata().ok();
    file.and_then(|file| u32::try_from(file.ino()).ok()).with_context(|| {
        format!(
            "--netns: there is no network namespace {}: give a name that `ip netns` lists, or a file such as /proc/PID/ns/net",
            crate::text::escape(&name.display().to_string())
        )
    })
}
