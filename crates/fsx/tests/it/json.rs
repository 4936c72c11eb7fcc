//! JSON documents.

use std::{fs, process::Command, thread};

use serde::{Deserialize, Serialize};
use underpin_fsx::{
    ErrorKind,
    blocking::{read_json, read_json_or, update_json, write_json},
};

use crate::{names, read, temp_dir};

const MAX: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Settings {
    name: String,
    limits: Vec<u32>,
}

#[test]
fn round_trip_is_indented_by_two_spaces() {
    let dir = temp_dir();
    let path = dir.path().join("a.json");
    let settings = Settings { name: "orders".to_owned(), limits: vec![1, 2] };
    write_json(&path, &settings).expect("it is written");
    let expected = "{\n  \"name\": \"orders\",\n  \"limits\": [\n    1,\n    2\n  ]\n}\n";
    assert_eq!(read(&path), expected);
    assert_eq!(read_json::<Settings>(&path, MAX).expect("it is read"), settings);
}

#[test]
fn missing_and_bad_json_give_the_default_and_nothing_else_does() {
    let dir = temp_dir();
    let path = dir.path().join("a.json");
    let default = || Settings { name: "default".to_owned(), limits: vec![] };
    assert_eq!(read_json_or(&path, MAX, default).expect("missing"), default());
    fs::write(&path, "{\"name\":").expect("it is written");
    assert_eq!(read_json_or(&path, MAX, default).expect("bad"), default());
    assert_eq!(read_json::<Settings>(&path, MAX).expect_err("bad").kind(), ErrorKind::Json);
    // Nobody writes to it, and nobody waits for it.
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("it starts").success());
    for (path, kind) in [
        (dir.path().to_owned(), ErrorKind::NotAFile),
        (pipe, ErrorKind::NotAFile),
        ("/dev/zero".into(), ErrorKind::NotAFile),
        (dir.path().join("a.json").join("b"), ErrorKind::NotFound),
    ] {
        assert_eq!(read_json::<Settings>(path, MAX).expect_err("no file").kind(), kind);
    }
    let too_large = read_json_or(&path, 3, default).expect_err("it is larger");
    assert_eq!(too_large.kind(), ErrorKind::TooLarge);
    assert!(read_json_or(dir.path(), MAX, default).is_err());
}

#[test]
fn byte_order_mark_is_skipped_and_the_limit_is_exact() {
    let dir = temp_dir();
    let path = dir.path().join("a.json");
    fs::write(&path, "\u{feff}[1]").expect("it is written");
    assert_eq!(read_json::<Vec<u32>>(&path, 6).expect("it is read"), [1]);
    assert_eq!(read_json::<Vec<u32>>(&path, 5).expect_err("6 bytes").kind(), ErrorKind::TooLarge);
}

#[test]
fn updates_at_once_are_all_there() {
    let dir = temp_dir();
    let path = dir.path().join("count.json");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    update_json(&path, MAX, |count: &mut u32| *count += 1).expect("it is updated");
                }
            });
        }
    });
    assert_eq!(read_json::<u32>(&path, MAX).expect("it is read"), 40);
    assert_eq!(names(dir.path()), ["count.json", "count.json.lock"]);
}

#[test]
fn update_of_the_same_bytes_writes_nothing_and_of_bad_json_destroys_nothing() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = temp_dir();
    let path = dir.path().join("a.json");
    update_json(&path, MAX, |settings: &mut Settings| settings.limits.push(1)).expect("updated");
    let inode = fs::metadata(&path).expect("it is there").ino();
    let len = update_json(&path, MAX, |settings: &mut Settings| settings.limits.len());
    assert_eq!(len.expect("updated"), 1);
    assert_eq!(fs::metadata(&path).expect("it is there").ino(), inode);
    fs::write(&path, "not JSON").expect("it is written");
    let error = update_json(&path, MAX, |_: &mut Settings| ()).expect_err("not JSON");
    assert_eq!((error.kind(), read(&path).as_str()), (ErrorKind::Json, "not JSON"));
    fs::write(&path, "[]").expect("it is written");
    let error = update_json(&path, 20, |list: &mut Vec<u32>| list.extend(0..20)).expect_err("20");
    assert_eq!((error.kind(), read(&path).as_str()), (ErrorKind::TooLarge, "[]"));
}

#[test]
fn update_stays_in_the_folder_that_its_lock_is_in() {
    let dir = temp_dir();
    let (now, before) = (dir.path().join("now"), dir.path().join("before"));
    fs::create_dir(&now).expect("a folder");
    write_json(now.join("a.json"), &1).expect("it is written");
    update_json(now.join("a.json"), 100, |n: &mut u32| {
        fs::rename(&now, &before).expect("it is renamed");
        fs::create_dir(&now).expect("a folder");
        *n = 2;
    })
    .expect("it is updated");
    assert_eq!(read(before.join("a.json")), "2\n");
    assert!(names(&now).is_empty());
}
