//! How each crate is set up.

use crate::{limiters::Contender, report::Column};

mod governor;
mod ours;
mod rate_net;
mod throttle_net;
mod tower_resilience;

/// Ours first.
pub fn all() -> Vec<Column<dyn Contender>> {
    vec![
        Column {
            package: "underpin-ratelimit",
            head: "underpin",
            contender: &ours::Ours,
            by_design: ours::BY_DESIGN,
        },
        Column {
            package: "governor",
            head: "governor",
            contender: &governor::Governor,
            by_design: governor::BY_DESIGN,
        },
        Column {
            package: "rate-net",
            head: "rate-net",
            contender: &rate_net::RateNet,
            by_design: rate_net::BY_DESIGN,
        },
        Column {
            package: "throttle-net",
            head: "throttle-net",
            contender: &throttle_net::ThrottleNet,
            by_design: throttle_net::BY_DESIGN,
        },
        Column {
            package: "tower-resilience-ratelimiter",
            head: "tower-resilience",
            contender: &tower_resilience::TowerResilience,
            by_design: tower_resilience::BY_DESIGN,
        },
    ]
}
