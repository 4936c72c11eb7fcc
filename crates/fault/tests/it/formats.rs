//! The forms for clients, logs and developers.

use std::io;

use underpin_fault::{Fault, Kind};

fn fault() -> Fault {
    Fault::new(Kind::NotFound, "order.missing")
        .message("there is no such order")
        .with("table", "orders")
        .expose("order_id", 42)
        .caused_by(io::Error::other("no rows"))
}

#[test]
fn display_is_one_line_for_clients() {
    assert_eq!(fault().to_string(), "order.missing: there is no such order");
    assert_eq!(Fault::new(Kind::NotFound, "order.missing").to_string(), "order.missing");
    assert_eq!(
        Fault::bug("ledger.negative").message("secret").to_string(),
        "INTERNAL: internal error"
    );
}

#[test]
fn alternate_display_is_one_line_for_logs() {
    assert_eq!(
        format!("{:#}", fault()),
        r#"order.missing (NOT_FOUND): there is no such order {table="orders", order_id="42"}: no rows"#
    );
    let outer = Fault::bug("sweep").caused_by(fault());
    assert_eq!(
        format!("{outer:#}"),
        r#"sweep (INTERNAL): order.missing (NOT_FOUND): there is no such order {table="orders", order_id="42"}: no rows"#
    );
}

#[test]
fn debug_is_the_whole_tree_with_locations() {
    let inner = fault();
    let sibling = Fault::new(Kind::Aborted, "rollback").with("tries", 3);
    let (inner_location, sibling_location) = (inner.location(), sibling.location());
    let fault =
        Fault::new(Kind::Internal, "sweep").message("never shown").caused_by(inner).and(sibling);
    let expected = [
        "sweep (INTERNAL): never shown",
        &format!("  at {}", fault.location()),
        "  caused by: order.missing (NOT_FOUND): there is no such order",
        &format!("    at {inner_location}"),
        "    with table=\"orders\"",
        "    exposes order_id=\"42\"",
        "    caused by: no rows",
        "  and: rollback (ABORTED)",
        &format!("    at {sibling_location}"),
        "    with tries=\"3\"",
    ];
    assert_eq!(format!("{fault:?}"), expected.join("\n"));
}

#[test]
fn no_text_breaks_the_line() {
    let nasty = "a\nb\r\tc\0\u{7f}\u{85}\u{2028}\u{2029}\u{202e}d";
    let fault = Fault::new(Kind::NotFound, "a\nb")
        .message(nasty)
        .with("k", nasty)
        .caused_by(io::Error::other(nasty));
    for line in [format!("{fault}"), format!("{fault:#}")] {
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(!line.contains(['\u{2028}', '\u{2029}', '\u{202e}']), "{line:?}");
    }
    assert_eq!(fault.to_string(), r"a\nb: a\nb\r\tc\u{0}\u{7f}\u{85}\u{2028}\u{2029}\u{202e}d");
}
