//! Instructions a call, counted by valgrind: a figure that does not depend on the machine's mood.

use std::{env, process::Command};

use measure::Shared;

use crate::{breakers, limiters, retries};

/// Pieces of work that are counted.
const TIMES: u64 = 1000;

/// Pieces of work before that: with 10,000 keys, nearly all have been seen then.
const BEFORE: u64 = 50_000;

/// A title, and who is in it.
type Table = (&'static str, fn() -> Vec<Shared>);

const TABLES: [Table; 5] = [
    ("a call that succeeds through a breaker", breakers::healthy),
    ("a call that is rejected by an open breaker", breakers::open),
    ("a first try that succeeds", retries::first_try),
    ("a rate that grants, 10,000 keys", || limiters::rates(10_000, 1_000_000_000)),
    ("an exact window that grants, one key", || limiters::windows(1)),
];

/// Prints the tables, or why there are none.
pub fn tables() {
    for (title, contenders) in TABLES {
        println!("\n{title}, instructions by callgrind\n");
        for (index, contender) in contenders().iter().enumerate() {
            match counted(title, index) {
                Ok(count) => {
                    let calls = TIMES * u64::from(contender.calls);
                    println!("{:<34} {:>12}", contender.name, (count + calls / 2) / calls);
                }
                Err(why) => return println!("there is no count: {why}"),
            }
        }
    }
}

fn counted(table: &str, contender: usize) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*instructions*repeat*")
        .arg(program)
        .args(["call", table, &contender.to_string()])
        .output()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected : "));
    let count = count.and_then(|(_, count)| count.trim().parse().ok());
    count.filter(|count| *count > 0).ok_or_else(|| format!("valgrind said {text}"))
}

/// What is counted: one contender alone.
pub fn call(table: &str, contender: &str) {
    let found = TABLES.into_iter().find(|(title, _)| *title == table);
    let (_, contenders) = found.expect("it is a table");
    let index: usize = contender.parse().expect("the contender is a number");
    let contender = &contenders()[index];
    let mut work = contender.work();
    (0..BEFORE / u64::from(contender.calls)).for_each(|_| work());
    repeat(&mut *work);
}

/// Valgrind counts in here only.
#[inline(never)]
fn repeat(work: &mut dyn FnMut()) {
    (0..TIMES).for_each(|_| work());
}
