//! Instructions, counted by valgrind: a figure that does not depend on the machine's mood, and therefore a gate.

use std::{collections::BTreeMap, env, process::Command};

/// Runs this program once more, with these arguments, and counts the instructions within functions of this name (a pattern of valgrind's).
///
/// # Errors
///
/// Why there is no count: valgrind is not installed, or has seen no such function.
pub fn instructions(args: &[&str], within: &str) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={within}"))
        .arg(program)
        .args(args)
        .output()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected : "));
    let count: Option<u64> = count.and_then(|(_, count)| count.trim().parse().ok());
    count.filter(|count| *count > 0).ok_or_else(|| format!("valgrind said {text}"))
}

/// How many instructions each of our calls may take at most, of a file `instructions.txt`.
#[derive(Debug)]
pub struct Limits<'a> {
    left: BTreeMap<&'a str, u64>,
    problems: Vec<String>,
}

impl<'a> Limits<'a> {
    /// A line is a number, and who may take so many; `#` begins a comment.
    ///
    /// # Panics
    ///
    /// If it is anything else.
    pub fn new(text: &'a str) -> Limits<'a> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let limits = lines.map(|line| {
            let (most, who) = line.split_once(' ').expect("a line is a number, and who");
            (who.trim(), most.parse().expect("a line begins with a number"))
        });
        Limits { left: limits.collect(), problems: Vec::new() }
    }

    /// What this one may take. Ours has to have a limit, and to keep to it.
    pub fn of(&mut self, name: &str, is_ours: bool, count: u64) -> Option<u64> {
        let most = self.left.remove(name);
        match most {
            Some(most) if count > most => self.problems.push(format!(
                "{name} takes {count} instructions, and may take {most}: make it leaner, or argue the line in instructions.txt"
            )),
            None if is_ours => {
                self.problems.push(format!("{name} has no limit: add a line to instructions.txt"));
            }
            _ => {}
        }
        most
    }

    /// Nobody else will ask.
    pub fn stop_here(&mut self) {
        self.left.clear();
    }

    /// Says what is wrong; whether nothing is. Every line has to have been asked for.
    pub fn are_kept(mut self) -> bool {
        let left = self
            .left
            .into_keys()
            .map(|name| format!("{name} is in instructions.txt, and nobody's name: take it out"));
        self.problems.extend(left);
        self.problems.iter().for_each(|problem| eprintln!("\n{problem}"));
        self.problems.is_empty()
    }
}
