use underpin_config::Config;

#[derive(Config)]
#[config(prefx = "APP_")]
struct Struct {
    a: u8,
}

#[derive(Config)]
struct Field {
    #[config(defualt = 1)]
    a: u8,
    #[config(zzz)]
    b: u8,
}

fn main() {}
