//! docs/parity.md as claims.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::{
    markdown::tables,
    parity::{
        PAGE,
        proof::{self, Proof},
    },
};

const HEADER: [&str; 5] = ["S", "requirement", "crate", "proof", "state"];

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) line: usize,
    pub(super) number: String,
    pub(super) state: State,
    pub(super) proofs: Vec<Proof>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Proven,
    NotYet,
}

/// Reads the rows of all tables with our header.
pub(super) fn read(text: &str) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    let mut numbers = BTreeSet::new();
    for row in tables(text)
        .into_iter()
        .filter(|table| table.has_header(&HEADER))
        .flat_map(|table| table.rows)
    {
        let number = row.cell(0).to_owned();
        let state = match row.cell(4) {
            "proven" => State::Proven,
            "not yet" => State::NotYet,
            other => {
                bail!("{PAGE}:{}: the state is `proven` or `not yet`, not `{other}`", row.line)
            }
        };
        if !numbers.insert(number.clone()) {
            bail!("{PAGE}:{}: {number} is there twice", row.line);
        }
        claims.push(Claim { line: row.line, number, state, proofs: proof::read(row.cell(3)) });
    }
    if claims.is_empty() {
        bail!("{PAGE}: no table with the header | {} |", HEADER.join(" | "));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::{State, read};

    fn page(rows: &str) -> String {
        format!("| S | requirement | crate | proof | state |\n|---|---|---|---|---|\n{rows}")
    }

    #[test]
    fn rows_of_all_tables_are_read() {
        let text = format!(
            "{}\n{}",
            page("| S1 | One. | a | `a::b` | proven |\n"),
            page("| S2 | Two. | a | | not yet |\n")
        );
        let claims = read(&text).expect("it is well formed");
        let read: Vec<_> = claims
            .iter()
            .map(|claim| (claim.number.as_str(), claim.state, claim.proofs.len()))
            .collect();
        assert_eq!(read, [("S1", State::Proven, 1), ("S2", State::NotYet, 0)]);
        assert_eq!(claims[1].line, 7);
    }

    #[test]
    fn other_state_is_an_error_that_names_the_line() {
        let error =
            read(&page("| S1 | One. | a | | done |\n")).expect_err("there is no such state");
        assert_eq!(
            error.to_string(),
            "docs/parity.md:3: the state is `proven` or `not yet`, not `done`"
        );
    }

    #[test]
    fn repeated_number_is_an_error() {
        let row = "| S1 | One. | a | | not yet |\n";
        let error = read(&page(&row.repeat(2))).expect_err("it is there twice");
        assert_eq!(error.to_string(), "docs/parity.md:4: S1 is there twice");
    }

    #[test]
    fn page_without_a_table_is_an_error() {
        assert!(read("# Parity\n").is_err());
    }
}
