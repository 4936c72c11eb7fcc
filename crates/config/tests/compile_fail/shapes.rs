use underpin_config::{Config, Value};

#[derive(Config)]
enum Enum {
    A,
}

#[derive(Config)]
struct Tuple(u8);

#[derive(Config)]
struct Generic<T> {
    a: T,
}

#[derive(Value)]
enum Data {
    A(u8),
}

#[derive(Value)]
enum Same {
    #[config(rename = "b")]
    A,
    B,
}

#[derive(Value)]
enum Empty {}

#[derive(Value)]
struct Named {
    a: u8,
}

fn main() {}
