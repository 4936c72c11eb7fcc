use std::time::Duration;

use underpin_config::{Config, Secret, Url};

struct Plan;

#[derive(Config)]
struct Struct {
    plan: Plan,
    #[config(range = 1..=2)]
    flag: bool,
    #[config(schemes = "https")]
    name: Secret<String>,
    #[config(unit = "s")]
    url: Option<Url>,
    #[config(separator = ';')]
    one: u8,
    #[config(nested)]
    group: Duration,
}

fn main() {}
