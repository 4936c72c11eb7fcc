//! JSON Lines are read in bounded memory, and what is bad is counted.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use underpin_fsx::{
    Error, ErrorKind, Reason, Result, Stats,
    blocking::{for_each_line, read_jsonl},
};

use crate::temp_dir;

fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = temp_dir();
    let path = dir.path().join("a.jsonl");
    fs::write(&path, content).expect("it is written");
    (dir, path)
}

fn numbers(path: &Path) -> (Vec<u32>, Stats) {
    let mut reader = read_jsonl(path).skip_malformed();
    let numbers = reader.by_ref().collect::<Result<_>>().expect("it can be read");
    (numbers, reader.stats().clone())
}

#[test]
fn crlf_byte_order_mark_blanks_and_nuls_are_no_matter() {
    let (_dir, path) = file("\u{feff}1\r\n\n  \t\r\n2\n\0\0\n\0\0 3\n4");
    let (numbers, stats) = numbers(&path);
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!((stats.lines, stats.ok, stats.blank), (7, 4, 3));
    assert!(stats.torn_tail && stats.bad.is_empty());
    assert_eq!(stats.bytes, fs::metadata(&path).expect("it is there").len());
}

#[test]
fn bad_lines_are_reported_with_their_places_and_reading_goes_on() {
    let (_dir, path) = file(b"1\nsecret\n\xff\n123456789\n2\n");
    let mut reader = read_jsonl::<u32>(&path).max_line(8);
    let results: Vec<_> = reader.by_ref().collect();
    let bad = |error: &Error| (error.kind(), error.line(), error.offset());
    assert_eq!(results.iter().flatten().collect::<Vec<_>>(), [&1, &2]);
    let errors: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let expected = [
        (ErrorKind::Json, Some(2), Some(2)),
        (ErrorKind::InvalidUtf8, Some(3), Some(9)),
        (ErrorKind::TooLarge, Some(4), Some(11)),
    ];
    assert_eq!(errors.iter().copied().map(bad).collect::<Vec<_>>(), expected);
    let message = errors[0].to_string();
    assert!(
        message.ends_with("a.jsonl, line 2 at byte 2: it is not JSON of the expected form"),
        "{message}"
    );
    let stats = reader.stats();
    assert_eq!((stats.lines, stats.ok, stats.malformed), (5, 2, 1));
    assert_eq!((stats.invalid_utf8, stats.too_long, stats.torn_tail), (1, 1, false));
    let reasons: Vec<_> = stats.bad.iter().map(|bad| bad.reason).collect();
    assert_eq!(reasons, [Reason::Malformed, Reason::InvalidUtf8, Reason::TooLong]);
    assert!(!format!("{stats:?}").contains("secret"));
}

#[test]
fn skips_are_counted_and_the_first_eight_are_kept() {
    let (_dir, path) = file("x\n".repeat(20) + "5\n");
    let (numbers, stats) = numbers(&path);
    assert_eq!((numbers, stats.malformed, stats.bad.len()), (vec![5], 20, 8));
    assert_eq!((stats.bad[7].number, stats.bad[7].offset), (8, 14));
}

#[test]
fn what_json_is_not_is_malformed_and_a_repeated_key_is_the_types_affair() {
    let (_dir, path) = file("NaN\n{\"a\":1,\"a\":2}\n[1]x\n");
    let mut reader = read_jsonl::<Value>(&path).skip_malformed();
    let values: Vec<_> = reader.by_ref().collect::<Result<_>>().expect("it can be read");
    assert_eq!((values, reader.stats().malformed), (vec![json!({ "a": 2 })], 2));
}

#[test]
fn line_at_the_limit_is_read_and_one_byte_more_is_passed_over() {
    let (_dir, path) = file(format!("\"{}\"\n\"{}\"\n7\n", "x".repeat(97), "x".repeat(98)));
    let mut reader = read_jsonl::<Value>(&path).max_line(100).skip_malformed();
    let values: Vec<_> = reader.by_ref().collect::<Result<_>>().expect("it can be read");
    assert_eq!(values.len(), 2);
    assert_eq!(values[1], json!(7));
    assert_eq!((reader.stats().too_long, reader.stats().bad[0].offset), (1, 100));
}

#[test]
fn torn_and_fused_records_are_salvaged_if_asked() {
    let (_dir, path) = file("{\"a\":1}{\"a\":2}\n{\"a\":\"to{\"a\":3}\n{\"a\":4}\ntorn\n");
    let plain: Vec<_> = read_jsonl::<Value>(&path).collect();
    assert_eq!(plain.iter().flatten().count(), 1);
    let mut reader = read_jsonl::<Value>(&path).salvage();
    let results: Vec<_> = reader.by_ref().collect();
    let records: Vec<_> = results.iter().flatten().map(|value| value["a"].clone()).collect();
    assert_eq!(records, [1, 2, 3, 4]);
    assert!(results[0].is_err(), "the line is reported, too");
    let stats = reader.stats();
    assert_eq!((stats.ok, stats.malformed, stats.salvaged), (1, 3, 3));
}

#[test]
fn error_of_the_operating_system_ends_it_and_is_no_end() {
    let dir = temp_dir();
    for path in [dir.path().join("missing"), dir.path().to_owned()] {
        let mut reader = read_jsonl::<u32>(&path);
        let error = reader.next().expect("an item").expect_err("no file");
        assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotAFile), "{error:?}");
        assert!(reader.next().is_none());
    }
    assert!(for_each_line(dir.path(), |_| ControlFlow::Continue(())).is_err());
}

#[test]
fn lines_are_lent_and_parsed_without_a_copy() {
    #[derive(Deserialize)]
    struct Login<'a> {
        user: &'a str,
    }
    let (_dir, path) = file("{\"user\":\"ann\"}\nbad\n\n{\"user\":\"bob\"}\n{\"user\":\"eve\"}\n");
    let mut users = Vec::new();
    let stats = for_each_line(&path, |line| {
        if let Ok(login) = line.parse::<Login<'_>>() {
            // It points into the line.
            assert!(line.as_str().as_bytes().as_ptr_range().contains(&login.user.as_ptr()));
            users.push((login.user.to_owned(), line.number(), line.offset()));
        }
        if line.number() == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .expect("it can be read");
    assert_eq!(users, [("ann".to_owned(), 1, 0), ("bob".to_owned(), 4, 20)]);
    assert_eq!((stats.lines, stats.ok, stats.malformed, stats.blank), (4, 2, 1, 1));
}

/// What a reader should make of a file, the obvious way.
fn plain(bytes: &[u8], max: usize) -> (Vec<Value>, [u64; 5]) {
    let (mut values, mut counts) = (Vec::new(), [0; 5]);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        counts[0] += 1;
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        if content.len() + 1 > max {
            counts[1] += 1;
            continue;
        }
        let Ok(text) = str::from_utf8(content) else {
            counts[2] += 1;
            continue;
        };
        let text = text.trim_matches([' ', '\t', '\r', '\0']);
        if text.is_empty() {
            counts[3] += 1;
        } else if let Ok(value) = serde_json::from_str(text) {
            values.push(value);
        } else {
            counts[4] += 1;
        }
    }
    (values, counts)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_as_by_a_plain_reader(
        parts in prop::collection::vec(prop_oneof![
            Just(b"\n".to_vec()), Just(b"{\"a\":1}\n".to_vec()), Just(b"12\r\n".to_vec()), Just(b"\0\0".to_vec()),
            Just(b"\xc3".to_vec()), Just(b" \n".to_vec()), prop::collection::vec(any::<u8>(), 0..12),
        ], 0..30),
        max in 1..40_usize,
    ) {
        let bytes = parts.concat();
        prop_assume!(!bytes.starts_with("\u{feff}".as_bytes()));
        let (_dir, path) = file(&bytes);
        let (values, counts) = plain(&bytes, max);
        let mut reader = read_jsonl::<Value>(&path).max_line(max).skip_malformed();
        prop_assert_eq!(reader.by_ref().collect::<Result<Vec<_>>>().expect("it can be read"), values);
        let stats = reader.stats();
        prop_assert_eq!([stats.lines, stats.too_long, stats.invalid_utf8, stats.blank, stats.malformed], counts);
        prop_assert_eq!(stats.bytes, bytes.len() as u64);
    }
}

#[cfg(feature = "tokio")]
mod stream {
    use std::{
        ops::ControlFlow,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use serde::{Deserialize, Deserializer};
    use underpin_fsx::{ErrorKind, for_each_line, read_jsonl};

    use super::file;

    #[tokio::test]
    async fn stream_has_what_the_iterator_has() {
        let (_dir, path) = file("1\n\nbad\n".repeat(5_000) + "2");
        let mut reader = read_jsonl::<u32>(&path);
        let (mut sum, mut bad) = (0, 0);
        while let Some(result) = reader.next().await {
            match result {
                Ok(number) => sum += number,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Json);
                    bad += 1;
                }
            }
        }
        assert_eq!((sum, bad), (5_002, 5_000));
        assert!(reader.next().await.is_none());
        let stats = reader.stats();
        assert_eq!((stats.ok, stats.malformed, stats.blank), (5_001, 5_000, 5_000));
        assert!(stats.torn_tail);
        let mut missing = read_jsonl::<u32>(path.join("no"));
        assert_eq!(
            missing.next().await.expect("an item").expect_err("no file").kind(),
            ErrorKind::NotFound
        );
        assert!(missing.next().await.is_none());
    }

    static PARSED: AtomicUsize = AtomicUsize::new(0);

    struct Counted;

    impl<'de> Deserialize<'de> for Counted {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Counted, D::Error> {
            PARSED.fetch_add(1, Ordering::Relaxed);
            u32::deserialize(from).map(|_| Counted)
        }
    }

    #[tokio::test]
    async fn no_more_is_read_ahead_than_a_few_batches_and_nothing_after_the_drop() {
        let (_dir, path) = file("1\n".repeat(100_000));
        let mut reader = read_jsonl::<Counted>(&path);
        assert!(reader.next().await.expect("an item").is_ok());
        drop(reader);
        assert!(PARSED.load(Ordering::Relaxed) <= 4 * 256);
    }

    struct Panics;

    impl<'de> Deserialize<'de> for Panics {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Panics, D::Error> {
            panic!("on purpose")
        }
    }

    #[tokio::test]
    async fn panic_of_the_users_code_is_no_silent_end() {
        let (_dir, path) = file("1\n");
        let mut reader = read_jsonl::<Panics>(&path);
        assert!(reader.next().await.expect("an item").is_err());
        assert!(reader.next().await.is_none());
    }

    #[tokio::test]
    async fn lines_are_shown_on_another_thread() {
        let (_dir, path) = file("1\n2\n3\n");
        let sum = Arc::new(AtomicUsize::new(0));
        let shown = Arc::clone(&sum);
        let stats = for_each_line(&path, move |line| {
            shown.fetch_add(line.parse().unwrap_or(0), Ordering::Relaxed);
            ControlFlow::Continue(())
        });
        assert_eq!(stats.await.expect("it can be read").ok, 3);
        assert_eq!(sum.load(Ordering::Relaxed), 6);
    }
}
