//! Instructions a call.
//!
//! `instructions.txt` says how many each of our calls may take at most. One that takes more fails the run.

use std::fs;

use measure::{Limits, Shared, instructions};

use crate::{breakers, limiters, requests, retries};

/// What ours may take.
const LIMITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

/// Calls that are compared.
struct Table {
    title: &'static str,
    contenders: fn() -> Vec<Shared>,
    /// Calls before those that are counted.
    before: u64,
    counted: u64,
}

/// With 10,000 keys, nearly all have been seen after 50,000 calls.
const fn table(title: &'static str, contenders: fn() -> Vec<Shared>) -> Table {
    Table { title, contenders, before: 50_000, counted: 10_000 }
}

const TABLES: [Table; 7] = [
    table("a call that succeeds through a breaker", breakers::healthy),
    table("a call that is rejected by an open breaker", breakers::open),
    table("a first try that succeeds", retries::first_try),
    table("a rate that grants, 10,000 keys", || limiters::rates(10_000, 1_000_000_000)),
    table("an exact window that grants, one key", || limiters::windows(1)),
    Table { before: 200, counted: 1000, ..table("a GET that succeeds", requests::gets) },
    Table { before: 200, counted: 1000, ..table("a POST that succeeds", requests::posts) },
];

/// Prints the tables, or why there are none. Whether ours are within their limits.
pub fn tables() -> bool {
    let text = fs::read_to_string(LIMITS).expect("instructions.txt can be read");
    let mut limits = Limits::new(&text);
    for table in TABLES {
        println!("\n{}, instructions by callgrind\n", table.title);
        println!("{:<34} {:>12} {:>12}", "", "instructions", "at most");
        for (index, contender) in (table.contenders)().iter().enumerate() {
            let count = match counted(&table, index) {
                Ok(count) => count,
                Err(why) => {
                    println!("there is no count: {why}");
                    limits.stop_here();
                    return limits.are_kept();
                }
            };
            let name = format!("{}: {}", table.title, contender.name);
            let most = limits.of(&name, contender.name.starts_with("underpin-"), count);
            let shown = most.map(|most| most.to_string()).unwrap_or_default();
            println!("{:<34} {count:>12} {shown:>12}", contender.name);
        }
    }
    limits.are_kept()
}

/// Of one call.
fn counted(table: &Table, contender: usize) -> Result<u64, String> {
    let count =
        instructions(&["call", table.title, &contender.to_string()], "*instructions*repeat*")?;
    Ok((count + table.counted / 2) / table.counted)
}

/// What is counted: one contender alone.
pub fn call(table: &str, contender: &str) {
    let table = TABLES.into_iter().find(|found| found.title == table).expect("it is a table");
    let index: usize = contender.parse().expect("the contender is a number");
    let contender = &(table.contenders)()[index];
    let calls = u64::from(contender.calls);
    let mut work = contender.work();
    (0..table.before / calls).for_each(|_| work());
    repeat(table.counted / calls, &mut *work);
}

/// Valgrind counts in here only, and on this thread.
#[inline(never)]
fn repeat(times: u64, work: &mut dyn FnMut()) {
    (0..times).for_each(|_| work());
}
