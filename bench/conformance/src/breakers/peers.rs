//! How each crate is set up.

use crate::{breakers::Contender, report::Column};

mod breaker;
mod failsafe;
mod ours;
mod recloser;
mod tower_resilience;

/// Ours first.
pub fn all() -> Vec<Column<dyn Contender>> {
    vec![
        Column {
            package: "underpin-breaker",
            head: "underpin",
            contender: &ours::Ours,
            by_design: ours::BY_DESIGN,
        },
        Column {
            package: "tower-resilience-circuitbreaker",
            head: "tower-resilience",
            contender: &tower_resilience::TowerResilience,
            by_design: tower_resilience::BY_DESIGN,
        },
        Column {
            package: "breaker",
            head: "breaker",
            contender: &breaker::Breaker2,
            by_design: breaker::BY_DESIGN,
        },
        Column {
            package: "failsafe",
            head: "failsafe",
            contender: &failsafe::Failsafe,
            by_design: failsafe::BY_DESIGN,
        },
        Column {
            package: "recloser",
            head: "recloser",
            contender: &recloser::Reclosers,
            by_design: recloser::BY_DESIGN,
        },
    ]
}
