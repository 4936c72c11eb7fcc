//! What a client does with a request, for whoever operates it.

use std::{env, fmt::Write as _};

use crate::{client::Client, hosts, redact::Redacted};

/// What a proxy may be set by.
const PROXY: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

impl Client {
    /// What is in force, a line for each part: to be logged once at the start.
    ///
    /// What was set with [`Builder::configure`](crate::Builder::configure) is not known to it.
    #[must_use]
    pub fn describe(&self) -> String {
        let settings = &self.shared().settings;
        let base = settings.base.as_ref().map(|base| Redacted(base).to_string());
        let read =
            settings.read_timeout.map_or_else(|| "none".to_owned(), |time| format!("{time:?}"));
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<16} {value}");
        };
        line("base_url", base.unwrap_or_else(|| "none".to_owned()));
        line("deadline", format!("{:?}, waits and bodies included", settings.deadline));
        line("attempt_timeout", format!("{:?}, its body included", settings.attempt_timeout));
        line("connect_timeout", format!("{:?}", settings.connect_timeout));
        line("read_timeout", read);
        line("retry", settings.retry.to_string());
        line("budget", format!("for each host, {} retries in stock", self.shared().hosts.stock()));
        line("hedge", settings.hedge.map_or_else(|| "none".to_owned(), |hedge| hedge.to_string()));
        line("pause_hosts", pause(settings.does_pause));
        line("breaker", self.shared().hosts.circuits().to_string());
        line("rate_limit", self.shared().pace.to_string());
        line("redirects", format!("{} at most", settings.redirects));
        line("proxy", proxy());
        line("max_body", format!("{} bytes in memory", settings.max_body));
        text
    }
}

fn pause(does_pause: bool) -> String {
    if does_pause {
        format!("as Retry-After says, {:?} at most, {} hosts", hosts::LONGEST_PAUSE, hosts::MOST)
    } else {
        "off".to_owned()
    }
}

/// The names of variables; their values may have credentials in them.
fn proxy() -> String {
    let set: Vec<_> = PROXY.into_iter().filter(|name| env::var_os(name).is_some()).collect();
    if set.is_empty() {
        "none in the environment".to_owned()
    } else {
        format!("from {}", set.join(", "))
    }
}
