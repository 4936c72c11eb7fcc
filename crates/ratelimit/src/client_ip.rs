//! The address to count a client by.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// Finds the address to count a client by, behind proxies.
///
/// Each proxy adds the address that it sees to the end of `X-Forwarded-For`; what stands before that, anybody may have written. So it is read from the end, for as
/// many entries as there are proxies of one's own, and not further.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
/// use underpin_ratelimit::ClientIp;
///
/// let client_ip = ClientIp::new().trusted_proxies(1);
/// let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// let key = client_ip.of(proxy, ["6.6.6.6, 203.0.113.7"]);
/// assert_eq!(key.to_string(), "203.0.113.7");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp {
    trusted_proxies: usize,
    ipv6_prefix: u8,
}

/// An address, or the prefix of one, to count by: [`ClientIp::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpKey {
    address: IpAddr,
    prefix: Option<u8>,
}

impl ClientIp {
    /// Without proxies, and IPv6 by the first 64 bits.
    #[must_use]
    pub fn new() -> ClientIp {
        ClientIp { trusted_proxies: 0, ipv6_prefix: 64 }
    }

    /// How many proxies of one's own a request passes through: 0 unless set, and then `X-Forwarded-For` is not read at all.
    ///
    /// One too few, and all clients are counted as one, the proxy. One too many, and a client can write its address itself.
    #[must_use]
    pub fn trusted_proxies(self, proxies: usize) -> ClientIp {
        ClientIp { trusted_proxies: proxies, ..self }
    }

    /// By how many bits of it an IPv6 address is counted: 64 unless set. A client has at least 64 to itself, and as many addresses as it likes; a customer often has 56 or 48.
    ///
    /// # Panics
    ///
    /// With fewer than 48 or more than 64.
    #[track_caller]
    #[must_use]
    pub fn ipv6_prefix(self, bits: u8) -> ClientIp {
        assert!((48..=64).contains(&bits), "a prefix of {bits} bits is not from 48 to 64");
        ClientIp { ipv6_prefix: bits, ..self }
    }

    /// The key of the client of a request: `peer` is the other end of the connection, `forwarded` the values of `X-Forwarded-For`, in order.
    ///
    /// If there are fewer entries than proxies, or one is no address, it is the last address before that: the one that the last proxy to tell the truth has seen.
    pub fn of<'a, L>(&self, peer: IpAddr, forwarded: L) -> IpKey
    where
        L: IntoIterator<Item = &'a str, IntoIter: DoubleEndedIterator>,
    {
        self.of_lines(peer, forwarded.into_iter().map(str::as_bytes))
    }

    /// The same, from the headers of a request.
    #[cfg(feature = "tower")]
    pub fn of_headers(&self, peer: IpAddr, headers: &http::HeaderMap) -> IpKey {
        let lines = headers.get_all("x-forwarded-for");
        self.of_lines(peer, lines.iter().map(http::HeaderValue::as_bytes))
    }

    /// Of bytes: a client that writes something that is no text must not spoil what the proxies add to the same line.
    fn of_lines<'a>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpKey {
        let entries = lines.rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        let texts = entries.map(|entry| str::from_utf8(entry).unwrap_or_default());
        let believed = texts.take(self.trusted_proxies).map_while(address);
        self.key(believed.last().unwrap_or(peer))
    }

    fn key(&self, address: IpAddr) -> IpKey {
        match address.to_canonical() {
            IpAddr::V4(address) => IpKey { address: address.into(), prefix: None },
            IpAddr::V6(address) => {
                let kept = u128::MAX << (128 - u32::from(self.ipv6_prefix));
                let address = Ipv6Addr::from_bits(address.to_bits() & kept);
                IpKey { address: address.into(), prefix: Some(self.ipv6_prefix) }
            }
        }
    }
}

impl Default for ClientIp {
    fn default() -> ClientIp {
        ClientIp::new()
    }
}

impl IpKey {
    /// The address. Of an IPv6 address, the bits behind the prefix are 0.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

impl fmt::Display for IpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            None => self.address.fmt(f),
            Some(bits) => write!(f, "{}/{bits}", self.address),
        }
    }
}

/// An entry: an address, maybe in brackets, with a zone, with a port.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let host = match entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if port.is_empty() || is_port(port.strip_prefix(':')?) => host,
        Some(_) => return None,
        None => entry,
    };
    let plain = host.split_once('%').map_or(host, |(address, _)| address);
    let v4_with_port = || host.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    plain.parse().ok().or_else(v4_with_port)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok() && text.bytes().all(|byte| byte.is_ascii_digit())
}
