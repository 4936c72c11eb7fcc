//! A program that does not want to end, and its owner, who sees to it that it does.
//!
//! `adversary KIND --tag=TAG` misbehaves as its kind says; whatever it starts carries the tag, by which the owner finds survivors.
//! `adversary own RUNS SEED` runs so many of them through `underpin-procx`, in the strongest containment there is, ends each in some way, and prints what is left.
//! `adversary hold KIND --tag=TAG` starts one, says so, and waits to be killed.
//! `adversary exit KIND --tag=TAG` starts one that ends by itself, and says what held it.
//! `adversary leave KIND --tag=TAG` starts one, drops it, and exits at once.
//! `adversary read BYTES` reads so many through both pipes of a child, and prints what that took.
//! Every one of them is gone after a minute, however that goes.

mod audit;
mod kinds;
mod owner;
mod reader;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    if env::var_os("ADOPT").is_some() {
        // As process 1 of a container does, which owners often are. What it starts does not inherit it.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["own", runs, seed] => owner::own(runs, seed),
        ["exit", kind, tag] => owner::exit(kind, tag),
        ["leave", kind, tag] => owner::leave(kind, tag),
        ["read", bytes] => reader::read(bytes),
        ["hold", kind, tag] => owner::hold(kind, tag),
        [kind, options @ ..] => kinds::misbehave(kind, options),
        [] => ExitCode::from(2),
    }
}
