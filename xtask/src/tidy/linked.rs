//! What a published crate links, through all of its dependencies and with all of its features.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::tidy::{Findings, tree::Tree};

/// The only crate that may link OpenTelemetry: the others emit `tracing` events.
const TELEMETRY: &str = "underpin-telemetry";

/// A user with the Rust version that a crate claims can build it.
pub(super) fn rust_version(tree: &Tree) -> Findings {
    let graph = Graph::read(&tree.metadata);
    let mut findings = BTreeSet::new();
    for member in tree.workspace.published() {
        let Some(ours) = graph.package(&member.name).and_then(|package| package.rust_version)
        else {
            continue;
        };
        for linked in graph.linked(&member.name) {
            if linked.rust_version.is_some_and(|theirs| theirs > ours) {
                findings.insert(format!(
                    "{}: {} {} needs Rust {}, hold an older version of it in Cargo.lock, or do without it",
                    member.name,
                    linked.name,
                    linked.version,
                    linked.written
                ));
            }
        }
    }
    findings.into_iter().collect()
}

/// OpenTelemetry is heavy and before 1.0, so it has one home.
pub(super) fn opentelemetry(tree: &Tree) -> Findings {
    let graph = Graph::read(&tree.metadata);
    let mut findings = Findings::new();
    for member in tree.workspace.published().filter(|member| member.name != TELEMETRY) {
        for linked in graph.linked(&member.name) {
            if linked.name.starts_with("opentelemetry") || linked.name == "tracing-opentelemetry" {
                findings.push(format!(
                    "{} links {}: emit tracing events, {TELEMETRY} turns them into telemetry",
                    member.name, linked.name
                ));
            }
        }
    }
    findings
}

struct Package<'a> {
    name: &'a str,
    version: &'a str,
    written: &'a str,
    rust_version: Option<(u32, u32, u32)>,
}

/// The resolved graph, by package id.
struct Graph<'a> {
    packages: BTreeMap<&'a str, Package<'a>>,
    /// Normal and build dependencies.
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn read(metadata: &'a Value) -> Graph<'a> {
        let list = |value: &'a Value| value.as_array().into_iter().flatten();
        let text = |value: &'a Value| value.as_str().unwrap_or_default();
        let packages = list(&metadata["packages"]).map(|package| {
            let written = text(&package["rust_version"]);
            let version = Package {
                name: text(&package["name"]),
                version: text(&package["version"]),
                written,
                rust_version: parse(written),
            };
            (text(&package["id"]), version)
        });
        let is_linked = |dependency: &&'a Value| {
            list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev")
        };
        let edges = list(&metadata["resolve"]["nodes"]).map(|node| {
            let linked =
                list(&node["deps"]).filter(is_linked).map(|dependency| text(&dependency["pkg"]));
            (text(&node["id"]), linked.collect())
        });
        Graph { packages: packages.collect(), edges: edges.collect() }
    }

    fn package(&self, name: &str) -> Option<&Package<'a>> {
        self.packages.values().find(|package| package.name == name)
    }

    /// Everything below the package of that name, each once.
    fn linked(&self, name: &str) -> impl Iterator<Item = &Package<'a>> {
        let root =
            self.packages.iter().find(|(_, package)| package.name == name).map(|(id, _)| *id);
        let mut seen = BTreeSet::new();
        let mut pending: Vec<&str> = root.into_iter().collect();
        while let Some(id) = pending.pop() {
            for next in self.edges.get(id).into_iter().flatten() {
                if seen.insert(*next) {
                    pending.push(next);
                }
            }
        }
        seen.into_iter().filter_map(|id| self.packages.get(id))
    }
}

fn parse(version: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{opentelemetry, rust_version};
    use crate::tidy::{
        finds, holds,
        tree::{Tree, made_up},
    };

    /// underpin-a -> b -> the package `last`, by an edge of that kind.
    fn tree(last: &str, needs: &str, kind: &Value) -> Tree {
        let mut tree = made_up(&[("crates/a/Cargo.toml", "")]);
        tree.metadata = json!({
            "packages": [
                { "id": "a", "name": "underpin-a", "version": "0.1.0", "rust_version": "1.89" },
                { "id": "b", "name": "b", "version": "1.0.0", "rust_version": null },
                { "id": "c", "name": last, "version": "2.0.0", "rust_version": needs },
            ],
            "resolve": { "nodes": [
                { "id": "a", "deps": [{ "pkg": "b", "dep_kinds": [{ "kind": null }] }] },
                { "id": "b", "deps": [{ "pkg": "c", "dep_kinds": [{ "kind": kind }] }] },
            ] },
        });
        tree
    }

    #[test]
    fn linked_crates_build_with_our_rust_version() {
        holds(rust_version);
    }

    #[test]
    fn dependency_that_needs_a_newer_rust_is_found() {
        assert!(rust_version(&tree("c", "1.89.0", &Value::Null)).is_empty());
        assert!(rust_version(&tree("c", "1.90", &json!("dev"))).is_empty());
        finds(
            rust_version,
            &tree("c", "1.90", &Value::Null),
            "underpin-a: c 2.0.0 needs Rust 1.90",
        );
        finds(rust_version, &tree("c", "1.89.1", &json!("build")), "needs Rust 1.89.1");
    }

    #[test]
    fn only_telemetry_links_opentelemetry() {
        holds(opentelemetry);
    }

    #[test]
    fn other_crate_that_links_opentelemetry_is_found() {
        finds(
            opentelemetry,
            &tree("opentelemetry_sdk", "1.80", &Value::Null),
            "underpin-a links opentelemetry_sdk",
        );
        assert!(opentelemetry(&tree("opentelemetry_sdk", "1.80", &json!("dev"))).is_empty());
    }
}
