//! `GET /orders` and `GET /orders/{id}`.

use testkit::{or_skip, python};

use super::{
    change, folder,
    http::{get, place},
    orders, serve,
};

#[test]
fn pages_lead_through_all_orders_in_the_order_of_their_creation() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let placed: Vec<String> = (0..5).map(|_| place(port)).collect();
    assert!(placed.is_sorted());
    let mut seen = Vec::new();
    let mut path = "/orders?limit=2".to_owned();
    let mut pages = 0;
    loop {
        let page = get(port, &path).json();
        let orders = page["orders"].as_array().expect("a list");
        seen.extend(orders.iter().map(|order| order["id"].as_str().expect("an id").to_owned()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => path = format!("/orders?after={next}&limit=2"),
            None => break,
        }
    }
    assert_eq!((seen, pages), (placed, 3));
}

#[test]
fn a_query_that_is_wrong_is_refused() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=",
        "limit=many",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "limits=1",
        "after=",
        "after=1",
        "after=ord_1",
        "after=ord_%00",
        "after=ord_0000000000000001%27%20OR%201=1",
        "after=%ff",
    ] {
        let answer = get(port, &format!("/orders?{query}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "VALIDATION_ERROR"), "{query}");
    }
    // Behind the last one there is nothing, and that is no mistake.
    let page = get(port, "/orders?after=ord_9999999999999999&limit=100");
    assert_eq!((page.status, page.body.as_str()), (200, r#"{"orders":[],"next":null}"#));
}

#[test]
fn what_is_no_order_is_not_found() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    for id in [
        "ord_0000000000000001",
        "1",
        "ord_1",
        "%ff",
        "%00",
        "..%2F..%2Fetc",
        "ord_9999999999999999",
    ] {
        for path in [format!("/orders/{id}"), format!("/orders/{id}/events")] {
            let answer = get(port, &path);
            assert_eq!((answer.status, answer.code().as_str()), (404, "ORDER_NOT_FOUND"), "{path}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_told_to_the_operator_and_to_nobody_else() {
    let python = or_skip!(python(&[]));
    let dir = folder();
    let (child, port) = serve(orders(&dir));
    let id = place(port);
    change(&python, &dir, "PRAGMA ignore_check_constraints = 1; UPDATE orders SET side = 'hold'");
    let answer = get(port, &format!("/orders/{id}"));
    assert_eq!((answer.status, answer.code().as_str()), (500, "INTERNAL"));
    assert!(!answer.body.contains("hold") && !answer.body.contains("STORE"), "{answer:?}");
    let line = child.wait_for_line("STORE_FAILED");
    assert!(line.contains("hold"), "{line}");
}
