//! What the crate writes, as other programs read it.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value as Json, json};
use testkit::{Tool, node, or_skip, python, run};
use underpin_config::{Config, Env, Url};

#[derive(Debug, Config)]
#[config(prefix = "APP_", profile = "APP_ENV")]
#[expect(dead_code, reason = "the documents about it matter, not its values")]
struct Settings {
    #[config(default = "development")]
    env: String,
    #[config(range = 1024..=65535)]
    port: u16,
    #[config(default = true)]
    flag: bool,
    #[config(default = "30s")]
    timeout: Duration,
    #[config(default = "it's $5 \\ \"quoted\"", alias = "APP_SLOGAN")]
    motto: String,
    #[config(empty = "unset")]
    endpoint: Option<Url>,
    #[config(nested)]
    cache: Option<Cache>,
}

#[derive(Debug, Config)]
#[expect(dead_code, reason = "the documents about it matter, not its values")]
struct Cache {
    url: Url,
    #[config(default = 4)]
    size: u8,
}

/// Runs one of the scripts beside this file on a file of JSON, and reads the JSON that it prints.
fn ask(tool: &Tool, script: &str, input: &Json) -> Json {
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("input.json");
    fs::write(&path, input.to_string()).expect("it can be written");
    let mut command = tool.command();
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config").join(script))
        .arg(&path);
    let output = run(command, Duration::from_secs(60));
    assert!(output.status.success(), "{}\n{}", output.stdout, output.stderr);
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in {}", output.stdout))
}

/// Files that every reader takes the same way.
const FILES: [&str; 13] = [
    "A=b\n",
    "A=b\r\nB=c\r\n",
    "export A=b\n",
    "A=\n",
    "A=''\nB=\"\"\n",
    "A=b # c\n",
    "A='b # c' # d\n",
    "A=\"b # c\"\n",
    "A='b\nc'\nB=d\n",
    "A=\"b\\nc\"\n",
    "A='b\\nc'\n",
    "# c\n\nA=b=c\n",
    "A=\"b\nc\"\n",
];

fn read_by_ours(text: &str) -> Json {
    /// The names that the files use.
    #[derive(Config)]
    #[config(profile = "PROFILE")]
    struct Letters {
        #[config(empty = "allow")]
        a: Option<String>,
        #[config(empty = "allow")]
        b: Option<String>,
    }
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join(".env");
    fs::write(&path, text).expect("it can be written");
    let letters =
        Letters::load_from(Env::default().with_dotenv(path)).expect("the file is valid").value;
    let pairs = [("A", letters.a), ("B", letters.b)];
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Json::from(value?))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn dotenv_files_mean_what_python_dotenv_says() {
    let python = or_skip!(python(&["python-dotenv"]));
    let read = ask(&python, "read_dotenv.py", &json!(FILES));
    assert_eq!(read, Json::from(FILES.map(read_by_ours).to_vec()));
}

#[test]
fn dotenv_files_mean_what_the_npm_dotenv_says() {
    let node = or_skip!(node(&["dotenv"]));
    let read = ask(&node, "read_dotenv.cjs", &json!(FILES));
    assert_eq!(read, Json::from(FILES.map(read_by_ours).to_vec()));
}

#[test]
fn env_example_can_be_sourced_by_a_shell() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("env");
    let uncommented: String = Settings::SPEC
        .env_example()
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|line| line.starts_with("APP_") && line.contains('='))
                .unwrap_or(line)
        })
        .fold(String::new(), |text, line| text + line + "\n");
    fs::write(&path, uncommented).expect("it can be written");
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", "set -eu; . \"$1\"; printf '%s' \"$APP_MOTTO\"", "sh"]).arg(&path);
    let output = run(sh, Duration::from_secs(10));
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("it's $5 \\ \"quoted\"", ""));
}

/// Environments of every sort, and whether each of them loads.
fn environments() -> Vec<(Json, bool)> {
    let port = ["3000", "80", "x", "", "+4000", "1e4"];
    let others = [
        json!({}),
        json!({"APP_FLAG": "YES"}),
        json!({"APP_FLAG": "ja"}),
        json!({"APP_TIMEOUT": "1h30m"}),
        json!({"APP_TIMEOUT": "30"}),
        json!({"APP_TIMEOUT": "-1s"}),
        json!({"APP_MOTTO": "x"}),
        json!({"APP_MOTTO": ""}),
        json!({"APP_SLOGAN": "x"}),
        json!({"APP_ENDPOINT": ""}),
        json!({"APP_ENDPOINT": "https://h"}),
        json!({"APP_ENDPOINT": "h"}),
        json!({"APP_CACHE_URL": "redis://h"}),
        json!({"APP_CACHE_SIZE": "8"}),
        json!({"APP_CACHE_URL": "redis://h", "APP_CACHE_SIZE": "256"}),
        json!({"APP_PROT": "1"}),
        json!({"OTHER": "1"}),
        json!({"APP_MOTTO_FILE": "/dev/null/x"}),
    ];
    let mut all = Vec::new();
    for other in &others {
        for port in std::iter::once(None).chain(port.into_iter().map(Some)) {
            let mut environment = other.as_object().expect("they are objects").clone();
            environment.extend(port.map(|port| ("APP_PORT".to_owned(), Json::from(port))));
            let pairs = environment
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().expect("they are texts")));
            let loads = Settings::load_from(pairs.collect()).is_ok();
            all.push((environment.into(), loads));
        }
    }
    all
}

/// What the schema rejects does not load, and it rejects the greater part of what does not.
fn compare(accepted: &Json) {
    let environments = environments();
    let accepted: Vec<bool> = serde_json::from_value(accepted.clone()).expect("a list of booleans");
    assert_eq!(accepted.len(), environments.len());
    let mut caught = 0;
    for ((environment, loads), accepted) in environments.iter().zip(&accepted) {
        assert!(*accepted || !loads, "the schema rejects what loads: {environment}");
        caught += usize::from(!accepted);
    }
    let wrong = environments.iter().filter(|(_, loads)| !loads).count();
    assert!(wrong > 60 && caught * 10 > wrong * 6, "it caught {caught} of {wrong}");
}

fn schema_and_environments() -> Json {
    let schema: Json =
        serde_json::from_str(&Settings::SPEC.json_schema()).expect("the schema is JSON");
    let environments: Vec<Json> =
        environments().into_iter().map(|(environment, _)| environment).collect();
    json!({ "schema": schema, "instances": environments })
}

#[test]
fn json_schema_agrees_with_the_loader_under_python_jsonschema() {
    let python = or_skip!(python(&["jsonschema"]));
    compare(&ask(&python, "check_schema.py", &schema_and_environments()));
}

#[test]
fn json_schema_agrees_with_the_loader_under_ajv() {
    let node = or_skip!(node(&["ajv"]));
    compare(&ask(&node, "check_schema.cjs", &schema_and_environments()));
}
