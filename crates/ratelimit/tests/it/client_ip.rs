//! The address to count by.

use std::net::IpAddr;

use proptest::prelude::*;
use underpin_ratelimit::ClientIp;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[track_caller]
fn is(client_ip: ClientIp, forwarded: &[&str], expected: &str) {
    let key = client_ip.of(ip("10.0.0.1"), forwarded.iter().copied());
    assert_eq!(key.to_string(), expected);
}

#[test]
fn without_proxies_the_header_is_not_read() {
    is(ClientIp::new(), &["6.6.6.6"], "10.0.0.1");
    is(ClientIp::default(), &[], "10.0.0.1");
}

#[test]
fn header_is_read_from_the_right_as_far_as_it_is_trusted() {
    let one = ClientIp::new().trusted_proxies(1);
    is(one, &["203.0.113.7"], "203.0.113.7");
    is(one, &["6.6.6.6, 203.0.113.7"], "203.0.113.7");
    is(one, &["6.6.6.6", "7.7.7.7 ,203.0.113.7"], "203.0.113.7");
    let two = ClientIp::new().trusted_proxies(2);
    is(two, &["6.6.6.6, 203.0.113.7, 10.0.0.2"], "203.0.113.7");
    is(two, &["6.6.6.6, 203.0.113.7", "10.0.0.2"], "203.0.113.7");
}

#[test]
fn what_cannot_be_believed_falls_back_to_what_can() {
    let one = ClientIp::new().trusted_proxies(1);
    for line in [
        "",
        "unknown",
        "6.6.6.6,",
        "6.6.6.6, _hidden",
        "1.2.3.4.5",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[::1]:99999",
        "[::1]:+1",
        "1.2.3.4:x",
        "::1]",
    ] {
        is(one, &[line], "10.0.0.1");
    }
    is(one, &[], "10.0.0.1");
    let two = ClientIp::new().trusted_proxies(2);
    is(two, &["203.0.113.7"], "203.0.113.7");
    is(two, &["6.6.6.6, nonsense, 203.0.113.7"], "203.0.113.7");
    is(two, &["203.0.113.7, nonsense"], "10.0.0.1");
}

#[test]
fn ports_brackets_and_zones_are_no_part_of_it() {
    let one = ClientIp::new().trusted_proxies(1);
    for line in [
        "203.0.113.7:8080",
        " 203.0.113.7 ",
        "\t203.0.113.7",
        "::ffff:203.0.113.7",
        "[::ffff:203.0.113.7]:80",
    ] {
        is(one, &[line], "203.0.113.7");
    }
    for line in [
        "fe80::1",
        "[fe80::1]",
        "[fe80::1]:443",
        "fe80::1%eth0",
        "[fe80::1%25eth0]:443",
        "fe80:0:0:0:ffff::",
    ] {
        is(one, &[line], "fe80::/64");
    }
}

#[test]
fn ipv6_is_counted_by_its_prefix() {
    let peer = ip("2001:db8:1:2ff:a:b:c:d");
    for (bits, expected) in
        [(64, "2001:db8:1:2ff::/64"), (56, "2001:db8:1:200::/56"), (48, "2001:db8:1::/48")]
    {
        let key = ClientIp::new().ipv6_prefix(bits).of(peer, []);
        assert_eq!(key.to_string(), expected);
        assert_eq!(key, ClientIp::new().ipv6_prefix(bits).of(key.address(), []));
    }
    let [one, other] = ["2001:db8:1:2ff::1", "2001:db8:1:2ff:ffff::"].map(ip);
    assert_eq!(ClientIp::new().of(one, []), ClientIp::new().of(other, []));
    assert_ne!(ClientIp::new().of(one, []), ClientIp::new().of(ip("2001:db8:1:2fe::1"), []));
}

#[test]
fn ipv4_in_ipv6_is_ipv4() {
    let client_ip = ClientIp::new();
    assert_eq!(client_ip.of(ip("::ffff:1.2.3.4"), []), client_ip.of(ip("1.2.3.4"), []));
}

#[cfg(feature = "tower")]
#[test]
fn lines_that_are_no_text_are_no_address() {
    use http::{HeaderMap, HeaderValue};

    let mut headers = HeaderMap::new();
    let one = ClientIp::new().trusted_proxies(1);
    headers.append("x-forwarded-for", HeaderValue::from_static("203.0.113.7"));
    assert_eq!(one.of_headers(ip("10.0.0.1"), &headers).to_string(), "203.0.113.7");
    headers.append("x-forwarded-for", HeaderValue::from_bytes(b"\xff").expect("it is allowed"));
    assert_eq!(one.of_headers(ip("10.0.0.1"), &headers).to_string(), "10.0.0.1");

    // A client's own line, to which the proxy has added what it sees.
    let line = HeaderValue::from_bytes(b"\xff, 203.0.113.7").expect("it is allowed");
    headers.append("x-forwarded-for", line);
    assert_eq!(one.of_headers(ip("10.0.0.1"), &headers).to_string(), "203.0.113.7");
}

proptest! {
    #[test]
    fn nothing_a_client_writes_changes_what_a_proxy_has_seen(lines in prop::collection::vec(".*", 0..5)) {
        let mut forwarded: Vec<&str> = lines.iter().map(String::as_str).collect();
        let last = forwarded.pop().unwrap_or_default();
        let last = format!("{last}, 203.0.113.7");
        forwarded.push(&last);
        let key = ClientIp::new().trusted_proxies(1).of(ip("10.0.0.1"), forwarded);
        prop_assert_eq!(key.address(), ip("203.0.113.7"));
    }

    #[test]
    fn every_address_is_read(address: u128, v4: u32, port: u16) {
        let (v6, v4) = (std::net::Ipv6Addr::from_bits(address), std::net::Ipv4Addr::from_bits(v4));
        let one = ClientIp::new().trusted_proxies(1);
        let of = |line: &str| one.of(ip("10.0.0.1"), [line]);
        prop_assert_eq!(of(&format!("{v4}:{port}")), of(&v4.to_string()));
        prop_assert_eq!(of(&format!("[{v6}]:{port}")), of(&v6.to_string()));
        prop_assert_eq!(of(&v6.to_string()), one.of(v6.into(), []));
        prop_assert_eq!(of(&v4.to_string()).address(), IpAddr::from(v4));
    }
}
