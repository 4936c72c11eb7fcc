//! How others replace a file, and what the loss of power makes of it: a table, and no verdict. Who does not flush has not said that he would.

use std::path::Path;

use testkit::{Skip, full_or, or_skip};

use super::{
    crash,
    power::{Tally, Writer, replaced, suffer_more},
    tell,
};

/// What it is called in the table, and in the program.
const WAYS: [(&str, &str); 7] = [
    ("write in place", "plain-write"),
    ("temporary file, rename", "rename"),
    ("temporary file, flush, rename", "flush-and-rename"),
    ("tempfile, persist", "tempfile"),
    ("tempfile, flush, persist", "flush-and-tempfile"),
    ("atomic-write-file", "atomic-write-file"),
    ("fsx::write", "atomic"),
];

/// In one piece, because other tests print, too.
fn table(rows: &[(&str, Tally)]) {
    let head = format!("{:<36}losses  promises    torn    lost    left", "how");
    let rows = rows.iter().map(|(how, tally)| {
        let Tally { losses, promises, torn, lost, left, .. } = tally;
        format!("{how:<34}{losses:>8}{promises:>10}{torn:>8}{lost:>8}{left:>8}")
    });
    let lines: Vec<String> = [head].into_iter().chain(rows).collect();
    tell(&format!("\n{}", lines.join("\n")));
}

/// A tenth of what we ask of ourselves is enough to see it.
fn losses() -> u32 {
    full_or(201, 15)
}

/// Adds to a tally what becomes of a workload of the program.
fn of(workload: &str, tally: &mut Tally) -> Result<(), Skip> {
    let start = |path: &Path, first| Writer::spawn(crash(workload, path), first);
    suffer_more(tally, workload, losses(), start, replaced())
}

/// Whether it has shown that the power was cut: what is not flushed gets lost sooner or later.
fn has_shown(workload: &str, tally: &Tally) -> bool {
    match workload {
        "plain-write" | "rename" => tally.torn + tally.lost > 0,
        // With the file flushed, but not its folder, nothing is torn; but it is not there.
        "flush-and-rename" => tally.lost > 0,
        _ => true,
    }
}

#[test]
fn what_becomes_of_files_that_others_replace() {
    let mut rows = Vec::new();
    for (how, workload) in WAYS {
        let mut tally = Tally::default();
        or_skip!(of(workload, &mut tally));
        while !has_shown(workload, &tally) {
            assert!(tally.losses < 60 * losses(), "{workload} has survived: is the power cut?");
            or_skip!(of(workload, &mut tally));
        }
        rows.push((how, tally));
    }
    table(&rows);
    let (_, ours) = rows.last().expect("a row");
    assert_eq!((ours.torn, ours.lost), (0, 0));
}

/// The package of Node.js that is used most for it.
#[test]
fn what_becomes_of_files_that_write_file_atomic_replaces() {
    let node = or_skip!(testkit::node(&["write-file-atomic"]));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/crash/write_file_atomic.js");
    let start = |path: &Path, first| {
        let mut command = node.command();
        command.arg(script).arg(path);
        Writer::spawn(command, first).begun()
    };
    let mut tally = Tally::default();
    or_skip!(suffer_more(&mut tally, "write-file-atomic", losses(), start, replaced()));
    table(&[("write-file-atomic, Node.js", tally)]);
}
