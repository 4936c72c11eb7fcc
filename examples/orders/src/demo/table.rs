//! The closing table: every figure, and whether it is as it must be.

use std::{collections::BTreeSet, fmt, time::Duration};

use super::{
    fleet::Exit,
    outage::{BREAKER_OPEN, FAST, Outage},
    tally::Counts,
};
use crate::payment::{FAILURES, stub};

/// How much later than it could the circuit may let an order pass.
const SLACK: Duration = Duration::from_secs(1);

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
    /// `restarts` were to be done, the orders that are `stored` were found afterwards, those in the activity log are `recorded`, these are the `exits` of all processes, and that is what
    /// the payment provider has seen.
    pub(super) fn new(
        counts: &Counts,
        outage: &Outage,
        restarts: usize,
        stored: &BTreeSet<String>,
        recorded: &[String],
        exits: &[Exit],
        paid: stub::Counts,
    ) -> Table {
        let Counts { requests, failures, streams, goodbyes, events, orders, times, examples } =
            counts;
        let time =
            |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        let (unclean, clean): (Vec<_>, Vec<_>) = exits.iter().partition(|exit| !exit.how.success());
        let row = |name, value, holds| Row { name, value, holds, details: Vec::new() };
        let Outage { failed, refused, leaked, recovered, told } = outage;
        let (median, charges, doubled) = (outage.median(), paid.charges, paid.doubled);
        Table(vec![
            row(
                "circuit",
                format!("opened after {failed} failures, closed after {recovered:.1?}"),
                *failed == u64::from(FAILURES)
                    && (BREAKER_OPEN..BREAKER_OPEN + SLACK).contains(recovered)
                    && *told,
            ),
            row(
                "open",
                format!("{} calls refused in {median:.1?}, {leaked} made", refused.len()),
                !refused.is_empty() && median < FAST && *leaked == 0,
            ),
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
                "activity",
                format!("{} records of {} orders", recorded.len(), stored.len()),
                recorded.len() == stored.len()
                    && recorded.iter().all(|order| stored.contains(order)),
            ),
            row(
                "charges",
                format!("{charges} for {} orders, {doubled} doubled", stored.len()),
                charges == stored.len() as u64 && doubled == 0,
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
    use std::time::Duration;

    use underpin_procx::Exit::{Code, Signal};

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

    fn exit(how: underpin_procx::Exit) -> Exit {
        Exit { id: 7, how, words: "last words".to_owned() }
    }

    fn outage() -> Outage {
        Outage {
            failed: 3,
            refused: vec![Duration::from_micros(300); 3],
            leaked: 0,
            recovered: Duration::from_millis(3050),
            told: true,
        }
    }

    fn paid(charges: u64, doubled: u64) -> stub::Counts {
        stub::Counts { charges, doubled, ..stub::Counts::default() }
    }

    fn table(counts: &Counts, stored: &[&str], ends: &[underpin_procx::Exit]) -> Table {
        table_of(counts, &outage(), stored, ends, paid(stored.len() as u64, 0))
    }

    /// With such an activity log.
    fn recording(recorded: &[&str]) -> Table {
        let recorded: Vec<String> = recorded.iter().map(|id| (*id).to_owned()).collect();
        let stored = BTreeSet::from(["a".to_owned()]);
        let exits = [Code(0); 3].map(exit);
        Table::new(&counts(), &outage(), 1, &stored, &recorded, &exits, paid(1, 0))
    }

    fn table_of(
        counts: &Counts,
        outage: &Outage,
        stored: &[&str],
        ends: &[underpin_procx::Exit],
        paid: stub::Counts,
    ) -> Table {
        let recorded: Vec<String> = stored.iter().map(|id| (*id).to_owned()).collect();
        let stored = recorded.iter().cloned().collect();
        let exits: Vec<Exit> = ends.iter().copied().map(exit).collect();
        Table::new(counts, outage, 1, &stored, &recorded, &exits, paid)
    }

    #[test]
    fn it_holds_if_every_figure_does() {
        let table = table(&counts(), &["a"], &[Code(0); 3]);
        assert!(table.holds() && table.to_string().ends_with("Nobody noticed.\n"), "{table}");
    }

    #[test]
    fn each_figure_can_break_it() {
        let good = [Code(0); 3];
        let unlike = |outage: Outage| table_of(&counts(), &outage, &["a"], &good, paid(1, 0));
        let unpaid = |paid| table_of(&counts(), &outage(), &["a"], &good, paid);
        let slow = vec![Duration::from_millis(1); 3];
        for (wrong, table) in [
            ("circuit", unlike(Outage { failed: 2, ..outage() })),
            ("circuit", unlike(Outage { failed: 4, ..outage() })),
            ("circuit", unlike(Outage { recovered: Duration::from_millis(2900), ..outage() })),
            ("circuit", unlike(Outage { recovered: Duration::from_secs(5), ..outage() })),
            ("circuit", unlike(Outage { told: false, ..outage() })),
            ("open", unlike(Outage { refused: slow, ..outage() })),
            ("open", unlike(Outage { refused: Vec::new(), ..outage() })),
            ("open", unlike(Outage { leaked: 1, ..outage() })),
            ("charges", unpaid(paid(0, 0))),
            ("charges", unpaid(paid(2, 0))),
            ("charges", unpaid(paid(1, 1))),
            ("requests", table(&Counts { requests: 0, ..counts() }, &["a"], &good)),
            ("failures", table(&Counts { failures: 1, ..counts() }, &["a"], &good)),
            ("p50, p99", table(&Counts { times: Vec::new(), ..counts() }, &["a"], &good)),
            ("restarts", table(&counts(), &["a"], &[Code(0)])),
            ("exit codes", table(&counts(), &["a"], &[Code(0), Code(1), Code(0)])),
            ("exit codes", table(&counts(), &["a"], &[Code(0), Signal(9), Code(0)])),
            ("orders", table(&counts(), &["a", "b"], &good)),
            ("orders", table(&counts(), &["b"], &good)),
            ("orders", table(&Counts { orders: BTreeSet::new(), ..counts() }, &[], &good)),
            ("activity", recording(&[])),
            ("activity", recording(&["b"])),
            ("activity", recording(&["a", "a"])),
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
        let text = table(&counts, &["a"], &[Code(0), Signal(9), Code(0)]).to_string();
        assert!(text.contains("\n       reset\n"), "{text}");
        assert!(
            text.contains("\n       process 7: killed by SIGKILL\n       last words\n"),
            "{text}"
        );
    }
}
