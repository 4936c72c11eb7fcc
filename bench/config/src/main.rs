//! Loading 60 fields from the environment beside envy, figment and conf.
//!
//! The same 60 variables, the same types, the process environment as the source, one run. The variables are set in a child process,
//! which is this program again, beside some thirty that a container has anyway.

use std::{env, net::SocketAddr, process::Command, str::FromStr, time::Duration};

use conf::Conf;
use figment::{Figment, providers::Env};
use measure::{Contender, Counting, print, run};
use serde::Deserialize;
use underpin_config::{Config, Value};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Value)]
#[serde(rename_all = "lowercase")]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// What conf reads an enum by.
impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "debug" => Ok(Level::Debug),
            "info" => Ok(Level::Info),
            "warn" => Ok(Level::Warn),
            "error" => Ok(Level::Error),
            other => Err(format!("unknown level {other}")),
        }
    }
}

/// One struct of the same fields for each contender, and the variables that fill it.
macro_rules! settings {
    ($($field:ident: $type:ty = $text:literal,)*) => {
        #[derive(Debug, PartialEq, Config)]
        #[config(prefix = "APP_")]
        struct Ours { $($field: $type,)* }

        #[derive(Debug, PartialEq, Deserialize)]
        struct Serde { $($field: $type,)* }

        #[derive(Debug, PartialEq, Conf)]
        #[conf(env_prefix = "APP_")]
        struct Confs { $(#[conf(parameter, env)] $field: $type,)* }

        const VARIABLES: &[(&str, &str)] = &[$((stringify!($field), $text),)*];

        impl Serde {
            fn is_same(&self, ours: &Ours) -> bool { $(self.$field == ours.$field)&&* }
        }

        impl Confs {
            fn is_same(&self, ours: &Ours) -> bool { $(self.$field == ours.$field)&&* }
        }
    };
}

settings! {
    listen: SocketAddr = "0.0.0.0:8080", admin: SocketAddr = "127.0.0.1:9090", peer_a: SocketAddr = "10.0.0.1:7000",
    peer_b: SocketAddr = "10.0.0.2:7000", peer_c: SocketAddr = "[::1]:7000",
    port: u16 = "3000", grpc_port: u16 = "50051", metrics_port: u16 = "9464", debug_port: u16 = "6060", proxy_port: u16 = "8081",
    workers: usize = "8", queue: usize = "1024", batch: usize = "100", retries: u32 = "3", attempts: u32 = "5", lease: u32 = "30",
    max_body: u64 = "4194304", max_header: u64 = "16384", rate: u64 = "100", burst: u64 = "200",
    timeout_ms: u64 = "30000", connect_ms: u64 = "3000", idle_ms: u64 = "90000", drain_ms: u64 = "25000", poll_ms: u64 = "1000",
    ratio: f64 = "0.2", sample: f64 = "0.05", jitter: f64 = "0.5", threshold: f64 = "0.92", weight: f64 = "1.5",
    tls: bool = "true", http2: bool = "true", compress: bool = "false", trace: bool = "true", profile: bool = "false",
    reuse_port: bool = "false", keepalive: bool = "true", strict: bool = "true", dry_run: bool = "false", cache: bool = "true",
    log_level: Level = "info", sql_level: Level = "warn", http_level: Level = "error", audit_level: Level = "debug", rpc_level: Level = "info",
    service: String = "orders", version: String = "1.4.2", region: String = "eu-central-1", zone: String = "eu-central-1b",
    database: String = "postgres://orders@db.internal:5432/orders?sslmode=verify-full", redis: String = "redis://cache.internal:6379/0",
    bucket: String = "orders-eu-central-1-attachments", topic: String = "orders.events.v1", group: String = "orders-fulfilment",
    issuer: String = "https://login.internal/realms/orders", audience: String = "orders-api",
    origin: String = "https://shop.example", user_agent: String = "orders/1.4.2", namespace: String = "orders", node: String = "node-7",
}

fn main() {
    if env::var_os("APP_NODE").is_some() {
        return measure_all();
    }
    let program = env::current_exe().expect("the program has a path");
    let variables =
        VARIABLES.iter().map(|(name, text)| (format!("APP_{}", name.to_uppercase()), *text));
    let others = (0..30).map(|n| (format!("OTHER_SERVICE_{n}_PORT_8080_TCP_ADDR"), "10.0.0.1"));
    let status = Command::new(program)
        .env_clear()
        .envs(variables)
        .envs(others)
        .status()
        .expect("the program starts again");
    assert!(status.success());
}

fn ours() -> Ours {
    Ours::load().expect("the environment is valid")
}

fn by_envy() -> Serde {
    envy::prefixed("APP_").from_env().expect("the environment is valid")
}

fn by_figment() -> Serde {
    Figment::new().merge(Env::prefixed("APP_")).extract().expect("the environment is valid")
}

fn by_conf() -> Confs {
    Confs::try_parse_from(["bench"], env::vars_os()).expect("the environment is valid")
}

fn measure_all() {
    assert_eq!(VARIABLES.len(), 60);
    let expected = ours();
    assert!(
        by_envy().is_same(&expected)
            && by_figment().is_same(&expected)
            && by_conf().is_same(&expected)
    );

    let contenders = vec![
        Contender::new("underpin-config", ours),
        Contender::new("envy", by_envy),
        Contender::new("figment", by_figment),
        Contender::new("conf", by_conf),
    ];
    print(
        "60 fields from the environment of this process (90 variables)",
        &run(contenders, 101, Duration::from_millis(20)),
    );

    println!("\n60 fields, all of them wrong: how many mistakes does one run report?\n");
    let wrong = || {
        env::vars().map(|(name, text)| {
            if name.starts_with("APP_") { (name, format!("\u{1}{text}")) } else { (name, text) }
        })
    };
    // Any text is a valid `String`, so the 15 texts are left out of the environment instead.
    let wrong = || wrong().filter(|(name, _)| !is_text(name));
    println!(
        "{:<34} {:>12}",
        "underpin-config",
        Ours::load_from(wrong().collect()).map_or_else(|problems| problems.len(), |_| 0)
    );
    println!(
        "{:<34} {:>12}",
        "envy",
        envy::prefixed("APP_").from_iter::<_, Serde>(wrong()).map_or_else(|_| 1, |_| 0)
    );
    let figment =
        Figment::new().merge(figment::providers::Serialized::defaults(figment_pairs(wrong())));
    println!(
        "{:<34} {:>12}",
        "figment",
        figment.extract::<Serde>().map_or_else(|error| error.count(), |_| 0)
    );
    let conf = Confs::try_parse_from(["bench"], wrong())
        .map_or_else(|error| error.to_string().matches("APP_").count(), |_| 0);
    println!("{:<34} {:>12}", "conf", conf);
}

fn is_text(name: &str) -> bool {
    VARIABLES.iter().rev().take(15).any(|(text, _)| {
        name.strip_prefix("APP_").is_some_and(|name| name.eq_ignore_ascii_case(text))
    })
}

/// What figment's own provider makes of the variables; it reads the process environment only.
fn figment_pairs(
    pairs: impl Iterator<Item = (String, String)>,
) -> std::collections::BTreeMap<String, String> {
    pairs
        .filter_map(|(name, text)| Some((name.strip_prefix("APP_")?.to_lowercase(), text)))
        .collect()
}
