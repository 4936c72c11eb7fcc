//! `load_or_exit`, in a process of its own.
//!
//! This test binary starts itself again with one test selected and a variable that tells it to be the service.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use underpin_config::{Config, Secret};

const ROLE: &str = "UNDERPIN_CONFIG_TEST_ROLE";
const WAIT: &str = "UNDERPIN_CONFIG_TEST_WAIT";

#[derive(Debug, Config)]
#[config(prefix = "SERVICE_")]
struct Settings {
    #[config(range = 1024..=65535, alias = "SERVICE_OLD_PORT")]
    port: u16,
    token: Secret<String>,
}

/// Not a test of its own: what the child process runs.
#[test]
fn service() {
    if env::var_os(ROLE).is_some() {
        if env::var_os(WAIT).is_some() {
            // Until the parent has closed the other ends.
            io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        let settings = Settings::load_or_exit();
        println!("serving on {} with {:?}", settings.port, settings.token);
    }
}

fn child(pairs: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "exit::service", "--nocapture", "--test-threads=1"])
        .env(ROLE, "service");
    command.envs(pairs.iter().copied());
    command
}

fn run(pairs: &[(&str, &str)]) -> (Output, String, String) {
    let output = child(pairs).output().unwrap();
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stdout, stderr)
}

fn json_lines(stdout: &str) -> Vec<serde_json::Value> {
    // The test harness may have begun the line already.
    stdout
        .lines()
        .filter_map(|line| line.find('{').and_then(|at| serde_json::from_str(&line[at..]).ok()))
        .collect()
}

#[test]
fn prints_json_on_stdout_and_a_table_on_stderr_and_exits_with_78() {
    let (output, stdout, stderr) = run(&[("SERVICE_PORT", "80"), ("SERVICE_PROT", "x")]);
    assert_eq!(output.status.code(), Some(78));
    let lines = json_lines(&stdout);
    assert_eq!(lines.len(), 1, "{stdout}");
    assert_eq!(lines[0]["level"], "error");
    assert_eq!(lines[0]["message"], "invalid configuration");
    assert_eq!(lines[0]["problems"].as_array().map(Vec::len), Some(3));
    let timestamp = lines[0]["timestamp"].as_str().unwrap();
    assert!(
        timestamp.starts_with("20") && timestamp.ends_with('Z') && timestamp.len() == 24,
        "{timestamp}"
    );
    assert!(stderr.starts_with("invalid configuration: 3 problems\n"), "{stderr}");
    assert!(!stdout.contains("serving on"));
}

#[test]
fn starts_when_nothing_is_wrong_and_prints_warnings() {
    let (output, stdout, stderr) =
        run(&[("SERVICE_OLD_PORT", "3000"), ("SERVICE_TOKEN", "hunter2")]);
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("serving on 3000 with Secret(***)"), "{stdout}");
    let lines = json_lines(&stdout);
    assert_eq!(lines.len(), 1, "{stdout}");
    assert_eq!(lines[0]["level"], "warn");
    assert_eq!(lines[0]["warnings"][0]["variable"], "SERVICE_OLD_PORT");
    assert_eq!(stderr, "");
}

#[cfg(unix)]
#[test]
fn exits_though_nobody_reads_what_it_prints() {
    use std::os::unix::process::ExitStatusExt as _;

    // A report longer than any pipe, and pipes that stay unread until the end.
    let unknown: Vec<(String, String)> =
        (0..3_000).map(|n| (format!("SERVICE_{n}_{}", "X".repeat(90)), String::new())).collect();
    let mut child =
        child(&[]).envs(unknown).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("still running after 30 s");
        }
        std::thread::sleep(Duration::from_millis(20)); // sleep-ok: std has no wait with a deadline
    };
    assert_eq!((status.code(), status.signal()), (Some(78), None));
    let mut stderr = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    assert!(stderr.starts_with(b"invalid configuration: 3002 problems"));
}

#[cfg(unix)]
#[test]
fn exits_with_78_though_its_streams_are_closed() {
    let mut command = child(&[(WAIT, "1")]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The test harness of the child prints before the test begins, and would not survive a closed stream.
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("running 1 test") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the child ended too soon");
    }
    let mut prompt = [0; 1];
    stdout.read_exact(&mut prompt).unwrap();
    drop((stdout, child.stderr.take(), child.stdin.take()));
    assert_eq!(child.wait().unwrap().code(), Some(78));
}
