use std::time::Duration;

use underpin_config::{Config, Secret, Value};

type Token = Secret<String>;

#[derive(Value)]
struct Password(Secret<String>);

#[derive(Config)]
struct Struct {
    #[config(default = "hunter2")]
    secret: Secret<String>,
    #[config(default = "hunter2")]
    alias: Token,
    #[config(default = "hunter2")]
    newtype: Password,
    #[config(unit = "week")]
    unit: Duration,
}

fn main() {}
