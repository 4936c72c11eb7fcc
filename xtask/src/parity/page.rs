//! The pages of claims.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::{
    markdown::tables,
    parity::proof::{self, Proof},
};

/// A page of tables with the same header; all others on it are for readers.
pub(super) struct Page {
    pub(super) path: &'static str,
    header: [&'static str; 5],
}

pub(super) const PAGES: [Page; 2] = [
    Page { path: "docs/parity.md", header: ["S", "requirement", "crate", "proof", "state"] },
    Page {
        path: "docs/traps.md",
        header: ["T", "trap, and what is done here", "crate", "proof", "state"],
    },
];

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) page: &'static str,
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

/// Reads the rows of all tables with the page's header.
pub(super) fn read(page: &Page, text: &str) -> Result<Vec<Claim>> {
    let Page { path, header } = *page;
    let mut claims = Vec::new();
    let mut numbers = BTreeSet::new();
    for row in tables(text)
        .into_iter()
        .filter(|table| table.has_header(&header))
        .flat_map(|table| table.rows)
    {
        let number = row.cell(0).to_owned();
        let state = match row.cell(4) {
            "proven" => State::Proven,
            "not yet" => State::NotYet,
            other => {
                bail!("{path}:{}: the state is `proven` or `not yet`, not `{other}`", row.line)
            }
        };
        if !numbers.insert(number.clone()) {
            bail!("{path}:{}: {number} is there twice", row.line);
        }
        claims.push(Claim {
            page: path,
            line: row.line,
            number,
            state,
            proofs: proof::read(row.cell(3)),
        });
    }
    if claims.is_empty() {
        bail!("{path}: no table with the header | {} |", header.join(" | "));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::{Claim, PAGES, Result, State};

    fn read(text: &str) -> Result<Vec<Claim>> {
        super::read(&PAGES[0], text)
    }

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
    fn each_page_has_a_header_of_its_own() {
        let text = page("| S1 | One. | a | | not yet |\n");
        let text = text.replace("| S | requirement |", "| T | trap, and what is done here |");
        assert!(read(&text).is_err());
        let claims = super::read(&PAGES[1], &text).expect("it is well formed");
        assert_eq!((claims[0].page, claims[0].line), ("docs/traps.md", 3));
    }

    #[test]
    fn page_without_a_table_is_an_error() {
        assert!(read("# Parity\n").is_err());
    }
}
