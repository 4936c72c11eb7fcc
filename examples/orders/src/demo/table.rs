//! The closing table: every figure, and whether it is as it must be.

use std::{collections::BTreeSet, fmt};

use super::{fleet::Exit, tally::Counts};

#[derive(Debug)]
pub(super) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    name: &'static str,
    value: String,
    holds: bool,
    details: Vec<String>,
}

impl Table {
    /// `restarts` were to be done, the orders that are `stored` were found afterwards, and these are the `exits` of all processes.
    pub(super) fn new(
        counts: &Counts,
        restarts: usize,
        stored: &BTreeSet<String>,
        exits: &[Exit],
    ) -> Table {
        let Counts { requests, failures, streams, goodbyes, events, orders, times, examples } =
            counts;
        let time =
            |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        let (unclean, clean): (Vec<_>, Vec<_>) =
            exits.iter().partition(|exit| !exit.status.success());
        let row = |name, value, holds| Row { name, value, holds, details: Vec::new() };
        Table(vec![
            row("requests", requests.to_string(), *requests > 0),
            Row {
                details: examples.clone(),
                ..row("failures", failures.to_string(), *failures == 0)
            },
            row("p50, p99", format!("{:.1?}, {:.1?}", time(50), time(99)), !times.is_empty()),
            row("restarts", restarts.to_string(), exits.len() > restarts),
            Row {
                details: unclean.iter().map(ToString::to_string).collect(),
                ..row(
                    "exit codes",
                    format!("{} of {} are 0", clean.len(), exits.len()),
                    unclean.is_empty(),
                )
            },
            row(
                "orders",
                format!("{} acknowledged, {} stored", orders.len(), stored.len()),
                !orders.is_empty() && orders == stored,
            ),
            row(
                "streams",
                format!("{streams} ended, {goodbyes} told goodbye, {events} events"),
                *streams > 0 && streams == goodbyes && events > goodbyes,
            ),
        ])
    }

    pub(super) fn holds(&self) -> bool {
        self.0.iter().all(|row| row.holds)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { name, value, holds, details } in &self.0 {
            let mark = if *holds { "ok" } else { "BAD" };
            writeln!(f, "  {mark:<3}  {name:<11} {value}")?;
            for detail in details {
                writeln!(f, "       {}", detail.trim_end().replace('\n', "\n       "))?;
            }
        }
        f.write_str(if self.holds() { "\nNobody noticed.\n" } else { "\nSomebody noticed.\n" })
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Duration};

    use super::*;

    fn counts() -> Counts {
        Counts {
            requests: 3,
            times: vec![Duration::from_millis(1); 3],
            orders: BTreeSet::from(["a".to_owned()]),
            streams: 2,
            goodbyes: 2,
            events: 4,
            ..Counts::default()
        }
    }

    fn exit(status: i32) -> Exit {
        Exit { id: 7, status: ExitStatus::from_raw(status), words: "last words".to_owned() }
    }

    fn table(counts: &Counts, stored: &[&str], statuses: &[i32]) -> Table {
        let stored = stored.iter().map(|id| (*id).to_owned()).collect();
        let exits: Vec<Exit> = statuses.iter().copied().map(exit).collect();
        Table::new(counts, 1, &stored, &exits)
    }

    #[test]
    fn it_holds_if_every_figure_does() {
        let table = table(&counts(), &["a"], &[0, 0, 0]);
        assert!(table.holds() && table.to_string().ends_with("Nobody noticed.\n"), "{table}");
    }

    #[test]
    fn each_figure_can_break_it() {
        let good = [0, 0, 0];
        for (wrong, table) in [
            ("requests", table(&Counts { requests: 0, ..counts() }, &["a"], &good)),
            ("failures", table(&Counts { failures: 1, ..counts() }, &["a"], &good)),
            ("p50, p99", table(&Counts { times: Vec::new(), ..counts() }, &["a"], &good)),
            ("restarts", table(&counts(), &["a"], &[0])),
            ("exit codes", table(&counts(), &["a"], &[0, 1 << 8, 0])),
            ("exit codes", table(&counts(), &["a"], &[0, 9, 0])),
            ("orders", table(&counts(), &["a", "b"], &good)),
            ("orders", table(&counts(), &["b"], &good)),
            ("orders", table(&Counts { orders: BTreeSet::new(), ..counts() }, &[], &good)),
            ("streams", table(&Counts { goodbyes: 1, ..counts() }, &["a"], &good)),
            ("streams", table(&Counts { events: 2, ..counts() }, &["a"], &good)),
            ("streams", table(&Counts { streams: 0, goodbyes: 0, ..counts() }, &["a"], &good)),
        ] {
            let text = table.to_string();
            assert!(text.contains(&format!("  BAD  {wrong} ")), "{wrong}:\n{text}");
            assert_eq!(text.matches("BAD").count(), 1, "{text}");
            assert!(text.ends_with("Somebody noticed.\n"), "{text}");
        }
    }

    #[test]
    fn what_went_wrong_is_shown() {
        let counts = Counts { failures: 1, examples: vec!["reset".to_owned()], ..counts() };
        let text = table(&counts, &["a"], &[0, 9, 0]).to_string();
        assert!(text.contains("\n       reset\n"), "{text}");
        assert!(
            text.contains("\n       process 7 ended: signal: 9 (SIGKILL)\n       last words\n"),
            "{text}"
        );
    }
}
