//! Random environments with a canary in every secret: no output has a byte of it, and every mistake is found.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fmt::Write as _,
    net::SocketAddr,
    os::unix::ffi::OsStrExt as _,
    thread,
    time::Duration,
};

use testkit::full_or;
use underpin_config::{ByteSize, Config, Env, Secret, Url, Value};

/// Sixty fields: twelve of each kind of trouble, five times over.
#[derive(Debug, Config)]
#[config(prefix = "APP_")]
#[expect(dead_code, reason = "printed by Debug, which is what the test looks at")]
struct Settings {
    #[config(nested)]
    a: Group,
    #[config(nested)]
    b: Group,
    #[config(nested)]
    c: Group,
    #[config(nested)]
    d: Group,
    #[config(nested)]
    e: Group,
}

#[derive(Debug, Config)]
#[expect(dead_code, reason = "printed by Debug, which is what the test looks at")]
struct Group {
    #[config(range = 1024..=65535)]
    port: u16,
    #[config(default = false)]
    flag: bool,
    #[config(default = "30s", range = "100ms"..="5m")]
    timeout: Duration,
    max_body: ByteSize,
    #[config(default = "0.0.0.0:80")]
    listen: SocketAddr,
    level: Level,
    name: String,
    endpoint: Option<Url>,
    token: Secret<String>,
    #[config(schemes = ["postgres"])]
    database_url: Secret<Url>,
    keys: Option<Vec<Secret<u32>>>,
    #[config(from_str, expects = "a whole number")]
    seed: u64,
}

#[derive(Debug, Value)]
enum Level {
    Debug,
    Info,
    Warn,
}

/// A field: whether it may be absent, texts that are valid, texts that are not. `%` stands for the canary.
struct Field {
    name: &'static str,
    optional: bool,
    good: &'static [&'static str],
    bad: &'static [&'static str],
}

#[rustfmt::skip] // It is a table.
const FIELDS: [Field; 12] = [
    Field { name: "PORT", optional: false, good: &["1024", "3000", "65535"], bad: &["80", "65536", "x", "-1", " 3000", "3000.0", "%", "x%y"] },
    Field { name: "FLAG", optional: true, good: &["true", "0", "On"], bad: &["maybe", "2", "tru", "%"] },
    Field { name: "TIMEOUT", optional: true, good: &["100ms", "1m30s", "5m"], bad: &["30", "99ms", "6m", "1h30", "1x", "9999999999999999999999d", "1%"] },
    Field { name: "MAX_BODY", optional: false, good: &["4MiB", "0B", "1.5kb"], bad: &["4M", "4", "MiB", "-1B", "99999999TiB", "1%"] },
    Field { name: "LISTEN", optional: true, good: &["[::]:80", "127.0.0.1:3000"], bad: &["localhost:80", "127.0.0.1", ":80", "redis://:%@h"] },
    Field { name: "LEVEL", optional: false, good: &["info", "WARN"], bad: &["inof", "trace", "7", "%"] },
    Field { name: "NAME", optional: false, good: &["orders", "ä\u{202e}\n\u{7}", "%"], bad: &[] },
    Field { name: "ENDPOINT", optional: true, good: &["http://u:%@h/?k=%", "https://%@h/"], bad: &["http://u:%@h:0", "%", "u:%@h", "://%"] },
    Field { name: "TOKEN", optional: false, good: &["%", "x%y", "% %"], bad: &[] },
    Field { name: "DATABASE_URL", optional: false, good: &["postgres://u:%@h/db", "postgres://h/db?password=%"], bad: &["mysql://u:%@h", "%", "postgres://u:%@h:99999", "postgres://% %"] },
    Field { name: "KEYS", optional: true, good: &["1,2,", "7"], bad: &["%", "1,%", "1,,2", "4294967296"] },
    Field { name: "SEED", optional: false, good: &["7"], bad: &["%", "-1", "7.5"] },
];

/// The fields whose texts no report may quote.
const UNQUOTED: [&str; 5] = ["ENDPOINT", "TOKEN", "DATABASE_URL", "KEYS", "SEED"];

const GROUPS: [&str; 5] = ["A", "B", "C", "D", "E"];

#[test]
fn no_output_has_a_byte_of_a_secret_and_every_mistake_is_found() {
    let environments = full_or(1_000_000_u64, 100_000);
    let threads = 2;
    let run = |part: u64| {
        for seed in (part..environments).step_by(usize::try_from(threads).expect("it is two")) {
            check(seed);
        }
    };
    thread::scope(|scope| {
        for part in 0..threads {
            scope.spawn(move || run(part));
        }
    });
}

fn check(seed: u64) {
    let mut random = Random(seed);
    let canary = format!("cAnArY{:016x}", random.next());
    let (pairs, expected) = environment(&mut random, &canary);
    let env: Env = pairs.iter().cloned().collect();

    let mut printed = format!("{env:?}");
    let found: BTreeSet<String> = match Settings::load_from(env) {
        Ok(loaded) => {
            // A name that was set to the canary is no secret, and the struct has it.
            let settings = format!("{loaded:?} {:#?}", loaded.sources);
            let names = pairs.iter().filter(|(name, _)| name.as_bytes().ends_with(b"_NAME"));
            let names_hold_it = names.into_iter().any(|(_, text)| contains(text, &canary));
            printed += if names_hold_it { "" } else { &settings };
            BTreeSet::new()
        }
        Err(problems) => {
            let _ = write!(printed, "{problems} {problems:?} {problems:#?} {}", problems.to_json());
            problems.iter().map(|problem| problem.variable().to_owned()).collect()
        }
    };
    assert_eq!(found, expected, "seed {seed}: {pairs:?}");
    // Where no secret holds the canary, it is a value like any other.
    let is_secret = pairs.iter().any(|(name, text)| {
        let name = name.to_string_lossy();
        contains(text, &canary)
            && UNQUOTED.iter().any(|field| name.trim_end_matches("_FILE").ends_with(field))
    });
    assert!(!is_secret || !printed.contains(&canary[6..]), "seed {seed}: {printed}");
}

/// An environment, and the variables that a report of it must name.
fn environment(random: &mut Random, canary: &str) -> (Vec<(OsString, OsString)>, BTreeSet<String>) {
    let mut pairs: Vec<(OsString, OsString)> = Vec::new();
    let mut expected = BTreeSet::new();
    // Some environments are all good, some nearly, some hopeless.
    let trouble = [0, 2, 20, 100][random.below(4)];
    for (group, field) in
        GROUPS.iter().flat_map(|group| FIELDS.iter().map(move |field| (group, field)))
    {
        let name = format!("APP_{group}_{}", field.name);
        let good = field.good[random.below(field.good.len())].replace('%', canary);
        if random.below(100) >= trouble {
            if !field.optional || random.below(2) == 0 {
                pairs.push((name.into(), good.into()));
            }
            continue;
        }
        let mut wrong_name = name.clone();
        match random.below(8) {
            0 if !field.optional => {}
            1 => pairs.push((name.into(), OsString::new())),
            2 => {
                let bytes = [canary.as_bytes(), b"\xff"].concat();
                pairs.push((name.into(), OsStr::from_bytes(&bytes).to_owned()));
            }
            3 => {
                pairs.push((name.clone().into(), good.clone().into()));
                pairs.push((name.into(), format!("{good}{canary}").into()));
            }
            4 => {
                wrong_name = format!("{name}_FILE");
                let path = if UNQUOTED.contains(&field.name) {
                    format!("/nowhere/{canary}")
                } else {
                    "/nowhere/at/all".to_owned()
                };
                pairs.push((wrong_name.clone().into(), path.into()));
            }
            5 => {
                pairs.push((name.clone().into(), good.into()));
                pairs.push((format!("{name}_FILE").into(), canary.into()));
            }
            _ if field.bad.is_empty() => pairs.push((name.into(), OsString::new())),
            _ => {
                let bad = field.bad[random.below(field.bad.len())].replace('%', canary);
                pairs.push((name.into(), bad.into()));
            }
        }
        expected.insert(wrong_name);
    }
    if random.below(3) == 0 {
        pairs.push(("APP_A_PROT".into(), canary.into()));
        expected.insert("APP_A_PROT".to_owned());
    }
    (pairs, expected)
}

fn contains(text: &OsStr, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}

/// The generator `SplitMix64`: every seed a different sequence, so that a failure is repeated by its seed alone.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a usize fits into 64 bits");
        usize::try_from(self.next() % bound).expect("it is below a usize")
    }
}
