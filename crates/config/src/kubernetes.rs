//! The variables that Kubernetes adds on its own account.
//!
//! For every Service of its namespace a pod gets `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, `NAME_SERVICE_PORT_portname`, `NAME_PORT`,
//! `NAME_PORT_80_TCP`, and `NAME_PORT_80_TCP_{PROTO,PORT,ADDR}` (kubernetes.io, "Accessing the Service": environment variables), unless its
//! spec says `enableServiceLinks: false`. A Service that is named like the prefix of a configuration must neither count as a typo nor pass unexplained.

use crate::env::Env;

/// Whether Kubernetes set `name` for a Service: it has the form, and the Service's host is there too.
pub(crate) fn is_service_link(env: &Env, name: &str) -> bool {
    name.match_indices("_SERVICE_").chain(name.match_indices("_PORT")).any(|(at, _)| {
        let (service, rest) = name.split_at(at);
        let is_set = |suffix: &str| env.find(&[service, suffix].concat()).is_some();
        is_link_suffix(rest) && is_set("_SERVICE_HOST") && is_set("_SERVICE_PORT")
    })
}

fn is_link_suffix(rest: &str) -> bool {
    if rest == "_SERVICE_HOST" || rest == "_SERVICE_PORT" || rest.starts_with("_SERVICE_PORT_") {
        return true;
    }
    let Some(rest) = rest.strip_prefix("_PORT") else {
        return false;
    };
    let Some(rest) = rest.strip_prefix('_') else {
        return rest.is_empty();
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    ["_TCP", "_UDP", "_SCTP"]
        .iter()
        .filter_map(|protocol| rest.strip_prefix(protocol))
        .any(|rest| matches!(rest, "" | "_PROTO" | "_PORT" | "_ADDR"))
}
