//! The lint pack of the reference service, against a program that does what it bans.

use std::{fs, process::Command, time::Duration};

use testkit::{run, workspace_root};

/// Calls of the standard library that the pack bans; what others ban needs their crates.
const BANNED: [(&str, &str); 16] = [
    ("std::env::var", r#"std::env::var("A");"#),
    ("std::env::var_os", r#"std::env::var_os("A");"#),
    ("std::env::vars", "std::env::vars();"),
    ("std::process::exit", "if true { std::process::exit(1) }"),
    ("std::fs::write", r#"std::fs::write("a", "b");"#),
    ("std::fs::read", r#"std::fs::read("a");"#),
    ("std::fs::read_to_string", r#"std::fs::read_to_string("a");"#),
    ("std::fs::File::create", r#"std::fs::File::create("a");"#),
    ("std::process::Command::output", r#"std::process::Command::new("a").output();"#),
    ("std::process::Command::status", r#"std::process::Command::new("a").status();"#),
    ("std::process::Command::spawn", r#"std::process::Command::new("a").spawn();"#),
    ("std::thread::sleep", "std::thread::sleep(std::time::Duration::ZERO);"), // sleep-ok: not run
    ("std::thread::spawn", "std::thread::spawn(|| ());"),
    ("std::sync::mpsc::channel", "std::sync::mpsc::channel::<u8>();"),
    ("std::println", r#"println!("a");"#),
    ("std::eprintln", r#"eprintln!("a");"#),
];

#[test]
fn every_banned_call_of_std_is_refused_with_its_reason() {
    let statements: Vec<String> =
        BANNED.iter().map(|(_, call)| format!("    let _ = {{ {call} }};")).collect();
    let refused = refused(&format!("fn main() {{\n{}\n}}\n", statements.join("\n")));
    for (name, _) in BANNED {
        let banned = [format!("disallowed method `{name}`"), format!("disallowed macro `{name}`")];
        assert!(banned.iter().any(|banned| refused.contains(banned)), "{name} passes:\n{refused}");
    }
}

#[test]
fn bare_spawn_of_tokio_is_refused_with_its_reason() {
    let refused = refused("fn main() {\n    let _ = tokio::spawn(async {});\n}\n");
    assert!(refused.contains("disallowed method `tokio::spawn`"), "{refused}");
    assert!(refused.contains("`underpin_tasks::Nursery`"), "{refused}");
}

#[test]
fn calls_that_wait_forever_for_a_child_are_refused_with_what_to_use_instead() {
    let calls = ["std::process", "tokio::process"].iter().flat_map(|path| {
        ["output", "status", "spawn"].map(|call| format!("{path}::Command::new(\"a\").{call}();"))
    });
    let statements: Vec<String> = calls.map(|call| format!("    let _ = {call}")).collect();
    let refused = refused(&format!("fn main() {{\n{}\n}}\n", statements.join("\n")));
    assert_eq!(refused.matches("disallowed method").count(), statements.len(), "{refused}");
    assert_eq!(refused.matches("`underpin_procx::cmd`").count(), statements.len(), "{refused}");
}

#[test]
fn files_written_in_place_or_read_whole_are_refused_with_what_to_use_instead() {
    let calls = [
        "std::fs::write(a, a)",
        "std::fs::File::create(a)",
        "std::fs::read(a)",
        "std::fs::read_to_string(a)",
        "tokio::fs::write(a, a)",
        "tokio::fs::File::create(a)",
        "tokio::fs::read(a)",
        "tokio::fs::read_to_string(a)",
    ];
    let statements = calls.map(|call| format!("    let _ = {call};"));
    let refused =
        refused(&format!("fn main() {{\n    let a = \"a\";\n{}\n}}\n", statements.join("\n")));
    assert_eq!(refused.matches("disallowed method").count(), calls.len(), "{refused}");
    for instead in ["`underpin_fsx::write`", "`underpin_fsx::AtomicFile`"] {
        assert_eq!(refused.matches(instead).count(), 2, "{instead}\n{refused}");
    }
    assert_eq!(refused.matches("`underpin_fsx::read_jsonl`").count(), 4, "{refused}");
}

/// Ways to call another service that go around the breaker.
const BARE: [(&str, &str); 11] = [
    ("reqwest::get", "reqwest::get(url)"),
    ("reqwest::Client::new", "reqwest::Client::new()"),
    ("reqwest::Client::builder", "reqwest::Client::builder()"),
    ("reqwest::ClientBuilder::new", "reqwest::ClientBuilder::new()"),
    ("reqwest::Client::execute", "reqwest::Client.execute(())"),
    ("reqwest::RequestBuilder::send", "reqwest::Client.get(url).send()"),
    ("reqwest::blocking::get", "reqwest::blocking::get(url)"),
    ("reqwest::blocking::Client::new", "reqwest::blocking::Client::new()"),
    ("reqwest::blocking::Client::builder", "reqwest::blocking::Client::builder()"),
    ("reqwest::blocking::Client::execute", "reqwest::blocking::Client.execute(())"),
    ("reqwest::blocking::RequestBuilder::send", "reqwest::blocking::Client.get(url).send()"),
];

#[test]
fn bare_clients_are_refused_with_what_to_use_instead() {
    let statements: Vec<String> =
        BARE.iter().map(|(_, call)| format!("    let _ = {call};")).collect();
    let refused =
        refused(&format!("fn main() {{\n    let url = \"a\";\n{}\n}}\n", statements.join("\n")));
    for (name, _) in BARE {
        let banned = format!("disallowed method `{name}`");
        assert!(refused.contains(&banned), "{name} passes:\n{refused}");
    }
    assert_eq!(refused.matches("disallowed method").count(), BARE.len(), "{refused}");
    assert_eq!(refused.matches("`underpin_httpx::Client").count(), BARE.len(), "{refused}");
}

/// What of `tokio` the pack bans.
const TOKIO: &str = "
pub fn spawn<F>(_: F) {}
pub mod fs {
    pub fn write(_: &str, _: &str) {}
    pub fn read(_: &str) {}
    pub fn read_to_string(_: &str) {}
    pub struct File;
    impl File {
        pub fn create(_: &str) {}
    }
}
pub mod process {
    pub struct Command;
    impl Command {
        pub fn new(_: &str) -> Command { Command }
        pub fn output(&mut self) {}
        pub fn status(&mut self) {}
        pub fn spawn(&mut self) {}
    }
}
";

/// What of `reqwest` the pack bans, and `get` of the client, which it does not.
const REQWEST: &str = "
macro_rules! client {
    () => {
        pub struct Client;
        pub struct ClientBuilder;
        pub struct RequestBuilder;
        pub fn get(_: &str) {}
        impl Client {
            pub fn new() {}
            pub fn builder() {}
            pub fn get(&self, _: &str) -> RequestBuilder { RequestBuilder }
            pub fn execute(&self, _: ()) {}
        }
        impl ClientBuilder {
            pub fn new() {}
        }
        impl RequestBuilder {
            pub fn send(self) {}
        }
    };
}
client!();
pub mod blocking {
    client!();
}
";

/// What clippy says to a program, with the pack. Its `tokio` and `reqwest` are of our own and have what is banned, for this needs no network.
fn refused(program: &str) -> String {
    let dir = tempfile::tempdir().expect("a temp folder");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("it is below the folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    };
    let package =
        |name| format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n");
    write("tokio/Cargo.toml", &package("tokio"));
    write("tokio/src/lib.rs", TOKIO);
    write("reqwest/Cargo.toml", &package("reqwest"));
    write("reqwest/src/lib.rs", REQWEST);
    let dependencies =
        "[dependencies]\nreqwest.path = \"reqwest\"\ntokio.path = \"tokio\"\n\n[workspace]\n";
    write("Cargo.toml", &(package("careless") + dependencies));
    write("src/main.rs", program);
    let pack = workspace_root().join("examples/orders/clippy.toml");
    write("clippy.toml", &fs::read_to_string(pack).expect("the pack is there"));

    let mut clippy = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clippy.args(["clippy", "--quiet", "--offline"]).current_dir(dir.path());
    // Not the flags and the folders of the build that this test belongs to.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CLIPPY_ARGS",
        "CLIPPY_CONF_DIR",
    ] {
        clippy.env_remove(name);
    }
    run(clippy, Duration::from_secs(120)).stderr
}
