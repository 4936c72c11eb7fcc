//! The size of a file, or of a line, is no matter.

use std::{
    fs,
    io::{BufWriter, Write as _},
    path::Path,
    time::Duration,
};

use testkit::{full_or, run};

use super::{crash, tell};

/// Lines, records, and the memory in KiB that reading took and that the process had.
fn read(path: &Path) -> [u64; 4] {
    let output = run(crash("read", path), Duration::from_secs(300));
    assert!(output.status.success(), "{}", output.stderr);
    let numbers: Vec<u64> =
        output.stdout.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    numbers.try_into().expect("four numbers")
}

#[test]
fn line_of_a_gibibyte_takes_no_more_memory_than_the_longest_line() {
    let size = full_or(1 << 30, 100 << 20);
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("long.jsonl");
    let mut file = fs::File::create(&path).expect("it is created");
    // A hole reads as NULs, and takes no space.
    file.set_len(size).expect("it grows");
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).expect("it seeks");
    file.write_all(b"\n{\"n\":1,\"text\":\"after it\"}\n").expect("it is written");
    let [lines, records, grown, _] = read(&path);
    tell(&format!("a line of {} MiB: {grown} KiB of memory", size >> 20));
    assert_eq!((lines, records), (2, 1));
    assert!(grown <= 4 << 10, "{grown} KiB");
}

#[test]
fn file_of_500_megabytes_passes_through_in_less_than_64() {
    let size = full_or(500_000_000, 50_000_000);
    let dir = tempfile::tempdir().expect("a temp folder");
    let path = dir.path().join("large.jsonl");
    let mut file = BufWriter::new(fs::File::create(&path).expect("it is created"));
    let (mut written, mut count) = (0, 0_u64);
    while written < size {
        let line = format!("{{\"n\":{count},\"text\":\"{}\"}}\n", "x".repeat(180));
        file.write_all(line.as_bytes()).expect("it is written");
        written += line.len();
        count += 1;
    }
    file.into_inner().expect("it is written");
    let [lines, records, _, whole] = read(&path);
    tell(&format!("a file of {} MB: {whole} KiB of memory", written / 1_000_000));
    assert_eq!((lines, records), (count, count));
    assert!(whole < 64_000, "{whole} KiB");
}
