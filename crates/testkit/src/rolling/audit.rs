//! Whether every order that was acknowledged exists, once.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    Kind, Tally, Target,
    http::{Connection, Failure},
};

/// Asks the service for all its orders and adds to each client's tally what is wrong with its own.
///
/// # Panics
///
/// When the service does not list them.
pub(crate) fn audit(target: &Target, tallies: &mut [Tally]) {
    let stored = stored(target).unwrap_or_else(|Failure { text, .. }| panic!("no list: {text}"));
    for tally in tallies.iter_mut().filter(|tally| tally.orders.sent > 0) {
        let orders = std::mem::take(&mut tally.orders);
        for number in 1..=orders.sent {
            let copies = stored.get(&(orders.symbol.clone(), number)).copied().unwrap_or(0);
            let acknowledged = !orders.unacknowledged.contains(&number);
            if copies == 0 && acknowledged {
                tally.fail(Kind::Lost, 1, format!("order {number} was acknowledged"));
            } else if copies > 1 {
                tally.fail(Kind::Doubled, 1, format!("order {number} exists {copies} times"));
            }
        }
        tally.orders = orders;
    }
}

/// How often each order exists, by symbol and number.
fn stored(target: &Target) -> Result<HashMap<(String, u64), u64>, Failure> {
    let mut stored = HashMap::new();
    let mut connection = Connection::open(target.address)?;
    let mut after = String::new();
    loop {
        let path = match after.as_str() {
            "" => "/orders?limit=100".to_owned(),
            after => format!("/orders?after={after}&limit=100"),
        };
        let answer = connection.exchange("GET", &path, None)?;
        let page: Value = serde_json::from_slice(&answer.body)
            .map_err(|error| Failure::new(Kind::Truncated, error.to_string()))?;
        for order in page["orders"].as_array().into_iter().flatten() {
            let symbol = order["symbol"].as_str().unwrap_or_default().to_owned();
            *stored.entry((symbol, number(&order["quantity"]))).or_default() += 1;
        }
        match &page["next"] {
            Value::Null => return Ok(stored),
            Value::String(next) => next.clone_into(&mut after),
            next => after = next.to_string(),
        }
        if answer.closes {
            connection = Connection::open(target.address)?;
        }
    }
}

/// A quantity, which may be written as `7` or as `7.0`.
fn number(quantity: &Value) -> u64 {
    let whole = quantity.as_f64().filter(|number| number.fract() == 0.0);
    whole.and_then(|number| format!("{number:.0}").parse().ok()).unwrap_or_default()
}
