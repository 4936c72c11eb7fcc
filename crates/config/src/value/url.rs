//! URLs that name a server.

use std::{fmt, net::Ipv6Addr};

use super::{Form, Invalid, Rules, Schemed, Shape, Value};

/// A URL of the form `scheme://authority/path`, checked but not rewritten: what it was read from is what a driver gets.
///
/// It follows RFC 3986 where every reader agrees on it: a scheme, `://`, an authority of one or several hosts (drivers of databases
/// take lists), ports from 1 to 65535, printable ASCII, valid percent-encoding. The authority may be empty where the path is not, as in
/// `sqlite:///var/lib/orders.db`.
///
/// `Debug` and `Display` leave out the user and password and the values of the query, which often hold a password or a token, so a URL can be logged.
/// [`as_str`](Url::as_str) is the whole.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    text: String,
    scheme: usize,
}

impl Url {
    /// The whole URL, credentials and all.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme, as written: `postgres`.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme]
    }

    /// The whole URL, credentials and all.
    pub fn into_string(self) -> String {
        self.text
    }
}

impl AsRef<str> for Url {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Without credentials and query: `postgres://***@db:5432/orders?***`.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authority, tail) = split_authority(&self.text[self.scheme + 3..]);
        write!(f, "{}://", self.scheme())?;
        match authority.rsplit_once('@') {
            Some((_, hosts)) => write!(f, "***@{hosts}")?,
            None => f.write_str(authority)?,
        }
        // An @ after the authority may stand behind a password with a slash in it.
        let path = &tail[..tail.find(['?', '#']).unwrap_or(tail.len())];
        if path.contains('@') {
            return f.write_str("/***");
        }
        match tail.find(['?', '#']) {
            Some(end) => write!(f, "{}{}***", &tail[..end], &tail[end..=end]),
            None => f.write_str(tail),
        }
    }
}

/// As `Display`, in quotes.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Value for Url {
    // Never quoted in a report: a URL that cannot be read is one whose credentials cannot be found either.
    const FORM: Form = Form::new(
        Shape::Pattern("^[A-Za-z][A-Za-z0-9+.-]*://[!-~]+$"),
        "a URL such as https://host:443/path",
    )
    .unquoted();

    fn parse(text: &str, rules: &Rules) -> Result<Self, Invalid> {
        check(text)?;
        let scheme = text.find(':').unwrap_or_default();
        if !rules.schemes.is_empty()
            && !rules.schemes.iter().any(|allowed| allowed.eq_ignore_ascii_case(&text[..scheme]))
        {
            return Err(Invalid::new("has a scheme that is not allowed here"));
        }
        Ok(Url { text: text.to_owned(), scheme })
    }
}

impl Schemed for Url {}

fn check(text: &str) -> Result<(), Invalid> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Invalid::new(
            "has white space or a character outside ASCII: percent-encode it",
        ));
    }
    let (scheme, rest) =
        text.split_once("://").ok_or(Invalid::new("is not of the form scheme://host"))?;
    let mut scheme_bytes = scheme.bytes();
    if !scheme_bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        || !scheme_bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
    {
        return Err(Invalid::new("does not begin with a scheme such as https"));
    }
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('%') {
        if !bytes.get(at + 1..at + 3).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Invalid::new(
                "has a % that is not followed by two hexadecimal digits: write %25 for the character itself",
            ));
        }
    }
    if bytes.iter().any(|byte| b"\"<>\\^`{|}".contains(byte)) {
        return Err(Invalid::new("has a character that a URL must percent-encode"));
    }
    let (authority, path) = split_authority(rest);
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    if authority.is_empty() {
        // To browsers and their like, `https:///user@host` has a host all the same.
        let needs_host = ["http", "https", "ws", "wss", "ftp"];
        let is_file = !needs_host.iter().any(|name| name.eq_ignore_ascii_case(scheme));
        let has_path = path.len() > 1 && path.starts_with('/');
        return if is_file && has_path { Ok(()) } else { Err(Invalid::new("has no host")) };
    }
    hosts.split(',').try_for_each(check_host)
}

/// Splits what follows `://` into the authority and the rest.
fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

fn check_host(host: &str) -> Result<(), Invalid> {
    const BAD_HOST: Invalid = Invalid::new("has a host that is not valid");
    let (name, port) = if let Some(rest) = host.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or(BAD_HOST)?;
        address.parse::<Ipv6Addr>().map_err(|_| BAD_HOST)?;
        (
            address,
            if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(BAD_HOST)?) },
        )
    } else {
        match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        }
    };
    if name.is_empty() {
        return Err(Invalid::new("has no host"));
    }
    if name.contains(['[', ']', '@']) || (!host.starts_with('[') && name.contains(':')) {
        return Err(BAD_HOST);
    }
    match port {
        // RFC 3986 allows an empty port, and no operator ever meant one.
        Some(port)
            if !port.bytes().all(|byte| byte.is_ascii_digit())
                || !port.parse::<u16>().is_ok_and(|port| port != 0) =>
        {
            Err(Invalid::new("has a port that is not a number from 1 to 65535"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<Url, Invalid> {
        Url::parse(text, &Rules::NONE)
    }

    #[test]
    fn accepts_what_drivers_take() {
        for text in [
            "https://example.com",
            "http://[::1]:3000/a?b=c#d",
            "postgres://user:p%40ss@db:5432/orders?sslmode=require",
            "postgres://a:5432,b:5433/orders",
            "redis://:secret@localhost",
            "sqlite:///var/lib/orders.db",
            "redis+unix://%2Frun%2Fredis.sock",
            "HTTP://EXAMPLE.COM",
        ] {
            assert_eq!(url(text).map(Url::into_string), Ok(text.to_owned()));
        }
    }

    #[test]
    fn rejects_what_would_fail_later() {
        for text in [
            "example.com",
            "example.com:80",
            "://host",
            "http://",
            "http:///",
            "https:///user:hunter2@host/",
            "http://:80",
            "http://host:0",
            "http://host:65536",
            "http://host:",
            "http://host:80x",
            "1http://host",
            "http://ho st",
            "http://host/%zz",
            "http://host/%2",
            "http://[::1",
            "http://[nope]",
            "http://höst",
            "http://host/\u{7f}",
            "http://a,,b",
            "http:/host",
            "http://host:+80",
            "http://a:80:80",
            "http://host\n",
            "http://user@@",
            "http://ho[st",
        ] {
            assert!(url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn prints_neither_credentials_nor_query_values() {
        for (text, shown) in [
            (
                "postgres://user:hunter2@db:5432/orders?password=hunter2",
                "postgres://***@db:5432/orders?***",
            ),
            ("http://hunter2@host", "http://***@host"),
            ("http://hunter2@hunter2@host/", "http://***@host/"),
            ("http://host/#hunter2", "http://host/#***"),
            ("http://host?hunter2", "http://host?***"),
            ("http://host/a@b", "http://host/***"),
            ("postgres://orders:5432/hunter2@db/x", "postgres://orders:5432/***"),
            ("sqlite:///hunter2@x", "sqlite:///***"),
        ] {
            let url = url(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("\"{shown}\""));
            assert!(!format!("{url:#?}").contains("hunter2"));
        }
    }
}
