//! The settings file: what is in it counts while the service runs.

use std::{fs, os::unix::fs::symlink, path::Path, time::Instant};

use serde_json::{Value as Json, json};
use underpin_fsx::blocking::{write, write_json};

use super::{
    PATIENCE, folder,
    http::{Answer, ORDER, get, post},
    orders, serve, wait_until_ready,
};

/// How many orders a user may place in an hour, by the header of an order.
fn quota(port: u16, user: &str) -> Option<u32> {
    let answer = post(port, &[&format!("x-user-id: {user}")], ORDER);
    let policy = answer.header("ratelimit-policy")?;
    policy.strip_prefix("\"per-user\";q=")?.split(';').next()?.parse().ok()
}

/// The debounce is half a second.
#[track_caller]
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10)); // sleep-ok: bounded poll of the service
    }
}

/// What the service says of itself, and of its settings file.
fn health(port: u16) -> (String, String) {
    let health = get(port, "/health/ready?verbose");
    assert_eq!(health.status, 200, "{health:?}");
    let status = health.json()["status"].as_str().expect("a status").to_owned();
    (status, health.body)
}

fn hourly(requests: u32) -> Json {
    json!({"rate_limit": format!("{requests}/1h")})
}

fn is_closed(answer: &Answer) -> bool {
    answer.status == 503 && answer.code() == "ORDERS_CLOSED"
}

#[test]
fn a_rate_counts_once_it_is_in_the_file_and_the_old_one_when_that_is_gone() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let path = dir.path().join("data/settings.json");
    assert_eq!(quota(port, "ann"), Some(100));
    for requests in [7, 5000, 6, 8] {
        write_json(&path, &hourly(requests)).expect("it is written");
        wait_for("it counts", || quota(port, &format!("user-{requests}")) == Some(requests));
    }
    fs::remove_file(&path).expect("it is there");
    wait_for("the environment counts", || quota(port, "bob") == Some(100));
}

#[test]
fn who_has_used_up_a_lower_rate_is_refused_and_by_a_higher_one_let_in() {
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    let path = dir.path().join("data/settings.json");
    let ann = ["x-user-id: ann"];
    for _ in 0..3 {
        assert_eq!(post(port, &ann, ORDER).status, 201);
    }
    write_json(&path, &json!({"rate_limit": "3/10s"})).expect("it is written");
    child.wait_for_line("count now: rate_limit 3/10s, taking_orders true");
    assert_eq!(post(port, &ann, ORDER).status, 429);
    assert_eq!(post(port, &["x-user-id: bob"], ORDER).status, 201);
    write_json(&path, &json!({"rate_limit": "5/10s"})).expect("it is written");
    child.wait_for_line("count now: rate_limit 5/10s, taking_orders true");
    assert_eq!(post(port, &ann, ORDER).status, 201);
}

#[test]
fn a_closed_shop_takes_no_orders_and_shows_those_it_has() {
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    let id = post(port, &[], ORDER).json()["id"].as_str().expect("an id").to_owned();
    let path = dir.path().join("data/settings.json");
    write_json(&path, &json!({"taking_orders": false})).expect("it is written");
    wait_for("it is closed", || is_closed(&post(port, &[], ORDER)));
    let refused = post(port, &[], ORDER);
    assert_eq!(refused.header("retry-after"), Some("30"), "{refused:?}");
    // What is wrong in itself is wrong all the same.
    assert_eq!(post(port, &[], "{}").status, 400);
    assert_eq!(get(port, &format!("/orders/{id}")).status, 200);
    assert_eq!(health(port).0, "ready");
    write_json(&path, &json!({"taking_orders": true})).expect("it is written");
    wait_for("it is open", || post(port, &[], ORDER).status == 201);
    child.terminate();
    assert_eq!(child.finish().status.code(), Some(0));
}

#[test]
fn a_file_that_is_wrong_changes_nothing_and_is_said() {
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    wait_until_ready(port);
    let path = dir.path().join("data/settings.json");
    write_json(&path, &hourly(7)).expect("it is written");
    wait_for("it counts", || quota(port, "ann") == Some(7));
    for (number, (wrong, why)) in [
        ("{\"rate_limit\": \"8/1h\",", "EOF while parsing"),
        ("{\"rate_limit\": \"8/1h\", \"taking_order\": false}", "unknown field `taking_order`"),
        ("{\"rate_limit\": \"0/1h\"}", "is not a number of requests in a time"),
        (&*"9".repeat(70_000), "it is larger than the limit"),
    ]
    .into_iter()
    .enumerate()
    {
        write(&path, wrong).expect("it is written");
        wait_for("it is said", || health(port).1.contains(why));
        assert_eq!(health(port).0, "degraded");
        child.wait_for_line(why);
        assert_eq!(quota(port, &format!("user-{number}")), Some(7), "{wrong:.80}");
    }
    write_json(&path, &hourly(9)).expect("it is written");
    wait_for("it counts", || quota(port, "bob") == Some(9));
    assert_eq!(health(port).0, "ready");
    child.terminate();
    let output = child.finish();
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert_eq!(
        output.stderr.matches("settings stay as they are: ").count(),
        4,
        "{}",
        output.stderr
    );
}

#[test]
fn a_file_that_is_wrong_at_the_start_is_no_reason_not_to_start() {
    let dir = folder();
    let path = dir.path().join("settings.json");
    write(&path, "no json").expect("it is written");
    let mut command = orders(&dir);
    command.env("SETTINGS_FILE", &path).env("RATE_LIMIT", "4/1h");
    let (child, port) = serve(command);
    child.wait_for_line("settings stay as they are: cannot read ");
    assert_eq!(quota(port, "ann"), Some(4));
    wait_for("it is degraded", || get(port, "/health/ready").body.contains("degraded"));
    write_json(&path, &hourly(3)).expect("it is written");
    wait_for("it counts", || quota(port, "bob") == Some(3));
}

/// As the kubelet does it: a link to a link to a folder, of which the one in the middle is replaced.
fn config_map(dir: &Path, version: u32, settings: &Json) {
    let folder = dir.join(format!("..{version}"));
    fs::create_dir(&folder).expect("it can be made");
    write_json(folder.join("settings.json"), settings).expect("it is written");
    symlink(format!("..{version}"), dir.join("..data_tmp")).expect("it can be made");
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).expect("it can be renamed");
    if version > 1 {
        fs::remove_dir_all(dir.join(format!("..{}", version - 1))).expect("it is the old one");
    }
}

#[test]
fn a_config_map_that_comes_late_and_changes_is_followed() {
    let dir = folder();
    let mount = dir.path().join("etc");
    fs::create_dir(&mount).expect("it can be made");
    let mut command = orders(&dir);
    command.env("SETTINGS_FILE", mount.join("settings.json"));
    let (child, port) = serve(command);
    assert_eq!(quota(port, "ann"), Some(100));
    symlink("..data/settings.json", mount.join("settings.json")).expect("it can be made");
    for version in 1..=4 {
        config_map(&mount, version, &hourly(version * 10));
        wait_for("it counts", || quota(port, &format!("user-{version}")) == Some(version * 10));
    }
    child.terminate();
    let output = child.finish();
    // Each of them once: no reader has seen a part.
    assert_eq!(output.stderr.matches(" count now: ").count(), 4, "{}", output.stderr);
    assert!(!output.stderr.contains("stay as they are"), "{}", output.stderr);
}
