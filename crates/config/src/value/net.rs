//! IP addresses and socket addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::{Form, Invalid, Rules, Value};

macro_rules! addresses {
    ($($type:ty: $expects:literal, $reason:literal),* $(,)?) => {$(
        impl Value for $type {
            const FORM: Form = Form::text($expects);

            fn parse(text: &str, _: &Rules) -> Result<Self, Invalid> {
                text.parse().map_err(|_| Invalid::new($reason))
            }
        }
    )*};
}

addresses! {
    SocketAddr: "an address with a port such as 0.0.0.0:8080 or [::]:8080", "is not an IP address with a port",
    SocketAddrV4: "an IPv4 address with a port such as 0.0.0.0:8080", "is not an IPv4 address with a port",
    SocketAddrV6: "an IPv6 address with a port such as [::]:8080", "is not an IPv6 address with a port",
    IpAddr: "an IP address such as 127.0.0.1 or ::1", "is not an IP address",
    Ipv4Addr: "an IPv4 address such as 127.0.0.1", "is not an IPv4 address",
    Ipv6Addr: "an IPv6 address such as ::1", "is not an IPv6 address",
}
