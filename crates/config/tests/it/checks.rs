//! Rules of several fields.

use underpin_config::{Config, Reader};

use super::problems;

#[derive(Debug, Config)]
#[config(check = min_is_below_max)]
struct Pool {
    #[config(default = 2)]
    min: u32,
    #[config(default = 10)]
    max: u32,
}

fn min_is_below_max(pool: &Pool, reader: &mut Reader<'_>) {
    if pool.min > pool.max {
        reader.problem("MIN", "is larger than MAX");
    }
}

#[derive(Debug, Config)]
#[config(prefix = "APP_")]
#[expect(dead_code, reason = "read by the derive, looked at by nobody")]
struct Settings {
    #[config(nested)]
    pool: Pool,
    size: u8,
}

#[test]
fn join_the_report() {
    assert_eq!(
        problems::<Settings>(&[("APP_POOL_MIN", "20")]),
        [
            "APP_POOL_MIN is larger than MAX",
            "APP_SIZE is missing: expected a whole number from 0 to 255"
        ]
    );
}

#[test]
fn see_only_what_was_read() {
    assert_eq!(problems::<Settings>(&[("APP_POOL_MIN", "x"), ("APP_SIZE", "1")]).len(), 1);
}
