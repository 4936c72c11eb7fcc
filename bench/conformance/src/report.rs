//! The table, and what was seen where a claim did not hold.

use std::{
    collections::BTreeMap,
    panic,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    bounded::cell,
    verdict::{Case, Verdict},
    versions::version,
};

/// Cells at once. Most of a case's time is waiting.
const AT_ONCE: usize = 16;

/// Cases, and who they are put to.
pub struct Suite<C: ?Sized + 'static> {
    /// What is compared.
    pub title: &'static str,
    /// The rows.
    pub cases: Vec<Case<C>>,
    /// The columns.
    pub contenders: Vec<Column<C>>,
}

/// A contender of the table.
pub struct Column<C: ?Sized + 'static> {
    /// Its package.
    pub package: &'static str,
    /// The word above the column.
    pub head: &'static str,
    /// Who the cases are put to.
    pub contender: &'static C,
    /// Cases in which it means something else, and what its documentation says.
    pub by_design: &'static [(&'static str, &'static str)],
}

impl<C: ?Sized> Column<C> {
    fn meaning(&self, case: &str) -> Option<&'static str> {
        self.by_design.iter().find(|(name, _)| *name == case).map(|(_, meaning)| *meaning)
    }
}

/// Runs a suite and prints it. Whether all of our cells hold.
pub fn print<C: ?Sized + Sync>(suite: Suite<C>) -> bool {
    let suite: &'static Suite<C> = Box::leak(Box::new(suite));
    let verdicts = verdicts(suite);
    table(suite, &verdicts);
    details(suite, &verdicts);
    let ours = |column: &Column<C>| column.package.starts_with("underpin-");
    let fails = |(column, verdict): (&Column<C>, &Verdict)| ours(column) && verdict.is_failure();
    !verdicts.iter().any(|row| suite.contenders.iter().zip(row).any(fails))
}

/// A row for each case.
fn verdicts<C: ?Sized + Sync>(suite: &'static Suite<C>) -> Vec<Vec<Verdict>> {
    let hook = panic::take_hook();
    // Panics are part of what is looked for.
    panic::set_hook(Box::new(|_| {}));
    let cells: Vec<_> = suite
        .cases
        .iter()
        .flat_map(|case| suite.contenders.iter().map(move |column| (case, column)))
        .collect();
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((case, column)) = cells.get(index).copied() else { break };
                    let verdict = cell(case, column.contender, column.meaning(case.name));
                    verdicts.lock().expect("nobody panics here").insert(index, verdict);
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().expect("nobody panics here").into_values();
    panic::set_hook(hook);
    let verdicts: Vec<_> = verdicts.collect();
    verdicts.chunks(suite.contenders.len()).map(<[Verdict]>::to_vec).collect()
}

fn table<C: ?Sized>(suite: &Suite<C>, verdicts: &[Vec<Verdict>]) {
    println!("\n{}\n", suite.title);
    let heads: Vec<_> = suite.contenders.iter().map(|column| column.head).collect();
    let versions: Vec<_> =
        suite.contenders.iter().map(|column| version(column.package).to_owned()).collect();
    let wide: Vec<_> =
        heads.iter().zip(&versions).map(|(head, version)| head.len().max(version.len())).collect();
    let row = |name: &str, words: &[String]| {
        let cells: Vec<_> =
            words.iter().zip(&wide).map(|(word, wide)| format!("{word:>wide$}")).collect();
        println!("{name:<52} {}", cells.join("  ").trim_end());
    };
    row("", &heads.iter().map(ToString::to_string).collect::<Vec<_>>());
    row("", &versions);
    for (case, verdicts) in suite.cases.iter().zip(verdicts) {
        row(
            case.name,
            &verdicts.iter().map(|verdict| verdict.word().to_owned()).collect::<Vec<_>>(),
        );
    }
    let holds = |column: usize| verdicts.iter().filter(|row| row[column].word() == "ok").count();
    let asked = |column: usize| {
        verdicts.iter().filter(|row| !matches!(row[column], Verdict::Unavailable(_))).count()
    };
    let sums = (0..heads.len()).map(|column| format!("{}/{}", holds(column), asked(column)));
    row("hold, of those that can be asked", &sums.collect::<Vec<_>>());
}

/// Every cell that is not `ok`, by case.
fn details<C: ?Sized>(suite: &Suite<C>, verdicts: &[Vec<Verdict>]) {
    for (case, verdicts) in suite.cases.iter().zip(verdicts) {
        if verdicts.iter().all(|verdict| matches!(verdict, Verdict::Holds)) {
            continue;
        }
        println!("\n{}: {} Else {}", case.name, case.claim, case.loss);
        for (column, verdict) in suite.contenders.iter().zip(verdicts) {
            let what = match verdict {
                Verdict::Holds => continue,
                Verdict::Fails(seen) => format!("FAILS: {seen}"),
                Verdict::Differs(seen, meant) => format!("differs: {meant}; seen: {seen}"),
                Verdict::Unavailable(why) => format!("n/a: {why}"),
                Verdict::Panics(message) => format!("panics: {message}"),
                Verdict::Hangs => "hangs: it did not end within 20 s".to_owned(),
            };
            println!("  {:<18} {what}", column.head);
        }
    }
}
