use underpin_config::Config;

#[derive(Config)]
struct Struct {
    #[config(default = 1)]
    optional: Option<u8>,
    #[config(from_str)]
    zone: u8,
    #[config(nested, default = 1)]
    group: u8,
    #[config(prefix = "B_")]
    prefixed: u8,
    #[config(range = 5..=1)]
    empty_range: u8,
    #[config(range = 1..5)]
    half_open: u8,
    #[config(range = LOW..=HIGH)]
    constants: u8,
    #[config(default = some_function())]
    computed: u8,
    #[config(var = "WITH SPACE")]
    spaced: u8,
    #[config(empty = "maybe")]
    maybe: String,
    #[config(alias = "A", alias = "B")]
    aliases: u8,
    #[config(schemes = "https://")]
    scheme: String,
    #[config(var = "")]
    nameless: u8,
}

#[derive(Config)]
struct Twice {
    a: u8,
    #[config(var = "A")]
    b: u8,
}

#[derive(Config)]
#[config(empty = "maybe")]
struct Empty {
    a: String,
}

#[derive(Config)]
#[config(prefix = "APP")]
struct Prefix {
    a: u8,
}

fn main() {}
