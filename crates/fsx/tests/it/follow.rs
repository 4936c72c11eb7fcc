//! What is appended at a path is told once and in order, from one file to the next.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::Duration,
};

use underpin_fsx::{
    ErrorKind, Followed, Reason, Start, Token,
    blocking::{Follow, Jsonl},
};

use crate::temp_dir;

const SOON: Duration = Duration::from_secs(20);
const A_WHILE: Duration = Duration::from_millis(200);

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("it opens");
    file.write_all(text.as_bytes()).expect("it is written");
}

fn follow(path: &Path, start: Start) -> Follow {
    Follow::at(path).from(start).start().expect("it starts")
}

#[track_caller]
fn sees(follow: &mut Follow, expected: &[&str]) {
    for expected in expected {
        let followed = follow.next_within(SOON).expect("in time").expect("it can be read");
        let text = match followed {
            Followed::Line(line) => line,
            other => format!("<{other:?}>"),
        };
        assert_eq!(text, *expected);
    }
}

#[track_caller]
fn sees_nothing(follow: &mut Follow) {
    assert!(follow.next_within(A_WHILE).is_none());
}

#[test]
fn whole_lines_are_told_as_they_are_appended() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    append(&path, "old\nhalf");
    let mut end = follow(&path, Start::End);
    let mut beginning = follow(&path, Start::Beginning);
    sees(&mut beginning, &["old"]);
    sees_nothing(&mut end);
    append(&path, " done\n\nnew\r\n");
    sees(&mut end, &["half done", "new"]);
    sees(&mut beginning, &["half done", "new"]);
}

#[test]
fn missing_file_is_waited_for_and_told_from_its_beginning() {
    let dir = temp_dir();
    let path = dir.path().join("sub/a");
    let mut follow = follow(&path, Start::End);
    fs::create_dir(dir.path().join("sub")).expect("a folder");
    append(&path, "1\n2\n");
    sees(&mut follow, &["1", "2"]);
}

#[test]
fn renamed_file_is_read_to_its_end_before_the_new_one() {
    let dir = temp_dir();
    let (path, old) = (dir.path().join("a"), dir.path().join("a.1"));
    append(&path, "1\n");
    let mut follow = follow(&path, Start::Beginning);
    sees(&mut follow, &["1"]);
    fs::rename(&path, &old).expect("it is renamed");
    append(&path, "4\n");
    // Whoever has it open still writes to it.
    append(&old, "2\n3\n");
    sees(&mut follow, &["2", "3", "<Rotated>", "4"]);
    append(&path, "5\n");
    sees(&mut follow, &["5"]);
}

#[test]
fn removed_linked_away_and_retargeted_files_are_rotated_ones() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    append(&path, "1\n");
    let mut hard = follow(&path, Start::Beginning);
    sees(&mut hard, &["1"]);
    fs::hard_link(&path, dir.path().join("a.1")).expect("a link");
    fs::remove_file(&path).expect("it is removed");
    append(&path, "2\n");
    sees(&mut hard, &["<Rotated>", "2"]);
    append(&dir.path().join("b"), "3\n");
    symlink("a", dir.path().join("link")).expect("a link");
    let mut soft = follow(&dir.path().join("link"), Start::Beginning);
    sees(&mut soft, &["2"]);
    symlink("b", dir.path().join("link2")).expect("a link");
    fs::rename(dir.path().join("link2"), dir.path().join("link")).expect("it is renamed");
    sees(&mut soft, &["<Rotated>", "3"]);
}

#[test]
fn file_that_is_cut_off_or_written_anew_is_told_from_its_beginning() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    append(&path, "first\nsecond\n");
    let mut follow = follow(&path, Start::Beginning);
    sees(&mut follow, &["first", "second"]);
    fs::write(&path, "1\n").expect("it is cut off");
    sees(&mut follow, &["<Truncated>", "1"]);
    // Longer than before: only the content tells.
    fs::write(&path, "something else\n").expect("it is written anew");
    sees(&mut follow, &["<Truncated>", "something else"]);
}

/// Right after a line has been told, the file is read on, and can have been written anew since it was looked at.
#[test]
fn what_is_written_anew_at_any_moment_is_not_told_from_its_middle() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    append(&path, "0\n");
    let mut follow = follow(&path, Start::Beginning);
    sees(&mut follow, &["0"]);
    for n in 1..=200 {
        // Longer each time: its length does not tell.
        let line = format!("{n} {} end", "x".repeat(n));
        fs::write(&path, format!("{line}\n")).expect("it is written anew");
        sees(&mut follow, &["<Truncated>", &line]);
    }
}

#[test]
fn rotation_of_a_log_is_followed_without_a_gap() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    let log: Jsonl<u32> = Jsonl::at(&path).rotate(1_000, 1).open().expect("it opens");
    let mut follow = follow(&path, Start::Beginning);
    let (mut next, mut rotations) = (0, 0);
    for round in 0..3 {
        // One rotation each, and then it is waited for: who is two files behind has lost one.
        for n in round * 200..(round + 1) * 200 {
            log.append(&n).expect("it is appended");
        }
        while next < (round + 1) * 200 {
            match follow.next_within(SOON).expect("in time").expect("it can be read") {
                Followed::Line(line) => {
                    assert_eq!(line, next.to_string());
                    next += 1;
                }
                Followed::Rotated => rotations += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(rotations >= 2, "{rotations}");
}

#[test]
fn token_goes_on_where_it_was_taken_or_says_that_the_file_is_another() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    append(&path, "1\n2\n3\n");
    let mut first = follow(&path, Start::Beginning);
    sees(&mut first, &["1", "2"]);
    let text = first.token().expect("there was a line").to_string();
    let token: Token = text.parse().expect("it was written by one");
    drop(first);
    append(&path, "4\n");
    sees(&mut follow(&path, Start::Token(token)), &["3", "4"]);
    // Written anew in the same inode.
    fs::write(&path, "other 1\nother 2\n").expect("it is written");
    sees(&mut follow(&path, Start::Token(token)), &["<Rotated>", "other 1"]);
    let error = "no token".parse::<Token>().expect_err("it is none");
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!("1-2-3-4-5-6".parse::<Token>().is_err());
}

#[test]
fn line_that_is_too_long_is_passed_over_though_it_comes_in_pieces() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    append(&path, "");
    let mut follow = Follow::at(&path).max_line(100).start().expect("it starts");
    for _ in 0..5 {
        append(&path, &"x".repeat(60));
        sees_nothing(&mut follow);
    }
    append(&path, "\nshort\n");
    let followed = follow.next_within(SOON).expect("in time").expect("it can be read");
    assert!(
        matches!(followed, Followed::Bad(bad) if bad.reason == Reason::TooLong && bad.offset == 0)
    );
    sees(&mut follow, &["short"]);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let dir = temp_dir();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("it starts").success());
    for path in [dir.path(), &pipe] {
        // A pipe that nobody writes to is not waited for.
        let error = Follow::at(path).start().expect_err("no file");
        assert_eq!((error.kind(), error.path()), (ErrorKind::NotAFile, path));
    }
}

#[tokio::test]
async fn follow_is_a_stream() {
    let dir = temp_dir();
    let path = dir.path().join("a");
    append(&path, "1\n");
    let builder = underpin_fsx::Follow::at(&path).from(Start::Beginning);
    let mut follow = builder.start().await.expect("it starts");
    let next = tokio::time::timeout(SOON, follow.next()).await;
    let next = next.expect("in time").expect("an item").expect("it can be read");
    assert_eq!(next, Followed::Line("1".to_owned()));
}
