//! What an order is, and which ones are taken.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use underpin_fault::{Fault, Kind};

/// More than anybody trades. Below it, a double keeps all the digits that people write.
const MOST: f64 = 1e9;
const LONGEST_SYMBOL: usize = 12;

/// An order as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) symbol: String,
    pub(crate) side: Side,
    pub(crate) status: Status,
    pub(crate) quantity: f64,
    /// 0 takes any price: a market order.
    pub(crate) price: f64,
    pub(crate) created_at: String,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Update {
    pub(crate) order_id: OrderId,
    pub(crate) status: Status,
    pub(crate) filled_quantity: f64,
    pub(crate) updated_at: String,
    /// Higher than that of every change before it, to any order.
    #[serde(skip)]
    pub(crate) revision: i64,
}

/// An order that may be taken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewOrder {
    pub(crate) symbol: String,
    pub(crate) side: Side,
    pub(crate) quantity: f64,
    pub(crate) price: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Buy,
    Sell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Accepted,
    Filled,
}

/// The place of an order among all orders, in the order of their creation. As text, too, ids sort that way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderId(pub(crate) i64);

/// The body of a request, before anything in it is believed: what is missing, unknown or of the wrong type is a mistake to tell of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    #[serde(default)]
    symbol: Value,
    #[serde(default)]
    side: Value,
    #[serde(default)]
    quantity: Value,
    #[serde(default)]
    price: Value,
}

impl Draft {
    /// The order, or a fault that names every mistake.
    pub(crate) fn check(&self) -> Result<NewOrder, Fault> {
        let symbol = self.symbol.as_str().filter(|symbol| is_symbol(symbol));
        let side = self.side.as_str().and_then(Side::parse);
        let quantity =
            self.quantity.as_f64().filter(|quantity| *quantity > 0.0 && *quantity <= MOST);
        // The `abs` is for -0.0.
        let price = self.price.as_f64().filter(|price| (0.0..=MOST).contains(price)).map(f64::abs);
        if let (Some(symbol), Some(side), Some(quantity), Some(price)) =
            (symbol, side, quantity, price)
        {
            return Ok(NewOrder { symbol: symbol.to_owned(), side, quantity, price });
        }
        let mistakes = [
            (
                "symbol",
                symbol.is_none(),
                "must be 1 to 12 capital letters, digits, dots or hyphens",
            ),
            ("side", side.is_none(), "must be buy or sell"),
            ("quantity", quantity.is_none(), "must be a number above 0, at most 1000000000"),
            (
                "price",
                price.is_none(),
                "must be a number from 0, for a market order, to 1000000000",
            ),
        ];
        let mistakes = mistakes.into_iter().filter(|(_, is_mistake, _)| *is_mistake);
        Err(mistakes.fold(invalid("the order has mistakes"), |fault, (field, _, rule)| {
            fault.expose(field, rule)
        }))
    }
}

/// What every request gets that is wrong in itself.
pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(Kind::InvalidArgument, "VALIDATION_ERROR").message(message)
}

fn is_symbol(text: &str) -> bool {
    let is_allowed = |byte: u8| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
    };
    (1..=LONGEST_SYMBOL).contains(&text.len()) && text.bytes().all(is_allowed)
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Side> {
        [Side::Buy, Side::Sell].into_iter().find(|side| side.name() == text)
    }
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Accepted => "accepted",
            Status::Filled => "filled",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Status> {
        [Status::Accepted, Status::Filled].into_iter().find(|status| status.name() == text)
    }
}

impl OrderId {
    const PREFIX: &str = "ord_";
    const DIGITS: usize = 16;

    pub(crate) fn parse(text: &str) -> Option<OrderId> {
        let digits = text.strip_prefix(OrderId::PREFIX)?;
        let is_number =
            digits.len() == OrderId::DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { digits.parse().ok().map(OrderId) } else { None }
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:0digits$}", OrderId::PREFIX, self.0, digits = OrderId::DIGITS)
    }
}

impl Serialize for OrderId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: Value) -> Result<NewOrder, Vec<String>> {
        let draft: Draft = serde_json::from_value(body).expect("it is an object with known fields");
        draft.check().map_err(|fault| fault.exposed().map(|(field, _)| field.to_owned()).collect())
    }

    #[test]
    fn an_order_is_taken_as_it_was_written() {
        let order =
            check(json!({"symbol": "BRK.B", "side": "sell", "quantity": 0.1, "price": 431.07}))
                .unwrap();
        assert_eq!(
            order,
            NewOrder { symbol: "BRK.B".into(), side: Side::Sell, quantity: 0.1, price: 431.07 }
        );
    }

    #[test]
    fn every_mistake_is_named() {
        let all = ["symbol", "side", "quantity", "price"].map(str::to_owned).to_vec();
        for body in [
            json!({}),
            json!({"symbol": null, "side": null, "quantity": null, "price": null}),
            json!({"symbol": 7, "side": true, "quantity": "7", "price": "0"}),
            json!({"symbol": "", "side": "", "quantity": 0, "price": -0.01}),
            json!({"symbol": "aapl", "side": "BUY", "quantity": -1, "price": 1e10}),
            json!({"symbol": "ABCDEFGHIJKLM", "side": "hold", "quantity": 1e300, "price": []}),
            json!({"symbol": "A\u{0}", "side": "buy ", "quantity": [1], "price": {"usd": 1}}),
        ] {
            assert_eq!(check(body.clone()), Err(all.clone()), "{body}");
        }
    }

    #[test]
    fn limits_are_inside() {
        for (quantity, price) in [(1e9, 1e9), (f64::MIN_POSITIVE, 0.0), (1.0, -0.0)] {
            let order = check(
                json!({"symbol": "A-1", "side": "buy", "quantity": quantity, "price": price}),
            )
            .unwrap();
            assert!(order.price.is_sign_positive(), "{order:?}");
        }
    }

    #[test]
    fn ids_sort_as_text_and_come_back() {
        let ids = [1, 9, 10, 999, 10_000_000].map(OrderId);
        assert!(ids.map(|id| id.to_string()).is_sorted());
        assert!(ids.iter().all(|id| OrderId::parse(&id.to_string()) == Some(*id)));
        for wrong in [
            "",
            "ord_",
            "1",
            "ord_1",
            "ord_+000000000000001",
            "ORD_0000000000000001",
            "ord_00000000000000001",
        ] {
            assert_eq!(OrderId::parse(wrong), None, "{wrong}");
        }
    }
}
