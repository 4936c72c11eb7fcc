//! `POST /orders`: good ones, bad ones, and those that come twice.

use std::{collections::BTreeSet, thread};

use super::{
    folder,
    http::{ORDER, exchange, get, post, request},
    orders, serve,
};

#[test]
fn an_order_is_placed_and_found_where_it_says() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let placed = post(
        port,
        &["x-user-id: ann"],
        r#"{"symbol":"BRK.B","side":"sell","quantity":0.3,"price":431.07}"#,
    );
    assert_eq!(placed.status, 201, "{placed:?}");
    let order = placed.json();
    let id = order["id"].as_str().expect("an id");
    let created_at = order["created_at"].as_str().expect("a time");
    assert!(created_at.len() == 24 && created_at.ends_with('Z'), "{created_at}");
    let expected = format!(
        r#"{{"id":"{id}","symbol":"BRK.B","side":"sell","status":"accepted","quantity":0.3,"price":431.07,"created_at":"{created_at}"}}"#
    );
    assert_eq!(placed.body, expected);
    let location = placed.header("location").expect("a location");
    assert_eq!(location, format!("/orders/{id}"));
    assert_eq!(get(port, location).json()["id"], id);
}

#[test]
fn every_bad_body_has_its_status_and_code() {
    let deep = format!(r#"{{"symbol":{}"#, "[".repeat(10_000));
    let bodies = [
        // Not JSON.
        "",
        " ",
        "{",
        "}",
        "nonsense",
        r#"{"symbol":"ACME""#,
        "\u{feff}{}",
        deep.as_str(),
        r#"{"symbol":"ACME","side":"buy","quantity":NaN,"price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":Infinity,"price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":1e999,"price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":01,"price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":1,"price":0} and more"#,
        // Not an object with these fields.
        "null",
        "[]",
        "7",
        r#""order""#,
        r#"[{"symbol":"ACME"}]"#,
        r#"{"symbol":"ACME","side":"buy","quantity":1,"price":0,"status":"filled"}"#,
        r#"{"symbol":"ACME","symbol":"ACME","side":"buy","quantity":1,"price":0}"#,
        // Not such values.
        "{}",
        r#"{"symbol":"ACME","side":"buy","quantity":1}"#,
        r#"{"symbol":null,"side":"buy","quantity":1,"price":0}"#,
        r#"{"symbol":"ACME","side":"hold","quantity":1,"price":0}"#,
        r#"{"symbol":"ACME","side":"BUY","quantity":1,"price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":"1","price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":0,"price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":-1,"price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":1e300,"price":0}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":1,"price":-0.01}"#,
        r#"{"symbol":"ACME","side":"buy","quantity":1,"price":[0]}"#,
        r#"{"symbol":"acme'); DROP TABLE orders; --","side":"buy","quantity":1,"price":0}"#,
        r#"{"symbol":"\u0000","side":"buy","quantity":1,"price":0}"#,
        r#"{"symbol":"ABCDEFGHIJKLM","side":"buy","quantity":1,"price":0}"#,
    ];
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    for body in bodies {
        let answer = post(port, &[], body);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "VALIDATION_ERROR"),
            "{body:.80} {answer:?}"
        );
        assert!(!answer.body.contains("serde") && !answer.body.contains("DROP"), "{answer:?}");
    }
    // None of them has left a trace.
    assert_eq!(get(port, "/orders").body, r#"{"orders":[],"next":null}"#);
}

#[test]
fn all_mistakes_of_an_order_are_named_at_once() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let problem = post(port, &[], r#"{"symbol":"","side":"hold","quantity":0,"price":-1}"#).json();
    for field in ["symbol", "side", "quantity", "price"] {
        assert!(
            problem[field].as_str().is_some_and(|rule| rule.starts_with("must be ")),
            "{problem}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let head = "POST /orders HTTP/1.1\r\nhost: orders\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n";
    let answer = exchange(port, &[head.as_bytes(), b"\"\xff\xfe\""].concat());
    assert_eq!((answer.status, answer.code().as_str()), (400, "VALIDATION_ERROR"));
}

#[test]
fn only_json_is_taken() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    for headers in [
        &[][..],
        &["content-type: text/plain"],
        &["content-type: application/x-www-form-urlencoded"],
    ] {
        let answer = request(port, "POST", "/orders", headers, ORDER);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
            "{headers:?}"
        );
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_has_come() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let head = "POST /orders HTTP/1.1\r\nhost: orders\r\nconnection: close\r\ncontent-type: application/json\r\n";
    // A gigabyte is promised, and the first 20 KiB come.
    let promised = format!("{head}content-length: 1000000000\r\n\r\n{}", " ".repeat(20 << 10));
    // Nothing is promised, and it comes in pieces.
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(5));
    for request in [promised, chunked] {
        let answer = exchange(port, request.as_bytes());
        assert_eq!((answer.status, answer.code().as_str()), (413, "BODY_TOO_LARGE"));
    }
}

#[test]
fn headers_are_checked_as_bodies_are() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let long = format!("idempotency-key: {}", "k".repeat(129));
    for headers in [
        &["x-user-id: two words"][..],
        &["x-user-id: "],
        &["idempotency-key: a", "idempotency-key: b"],
        &[&long],
    ] {
        let answer = post(port, headers, ORDER);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "VALIDATION_ERROR"),
            "{headers:?}"
        );
    }
}

#[test]
fn a_key_makes_one_order_however_often_it_comes() {
    let dir = folder();
    let (_child, port) = serve(orders(&dir));
    let key = ["idempotency-key: 6d4b", "x-user-id: ann"];
    let ids: BTreeSet<String> = thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| post(port, &key, ORDER))).collect();
        let answers = clients.into_iter().map(|client| client.join().expect("no panic"));
        answers
            .map(|answer| {
                assert_eq!(answer.status, 201, "{answer:?}");
                answer.json()["id"].to_string()
            })
            .collect()
    });
    assert_eq!(ids.len(), 1, "{ids:?}");
    // The same order, written in another way.
    let again =
        post(port, &key, r#"{ "price": 0.0, "quantity": 2.50, "side": "buy", "symbol": "ACME" }"#);
    assert!(again.status == 201 && ids.contains(&again.json()["id"].to_string()), "{again:?}");

    let other_order = post(port, &key, &ORDER.replace("2.5", "3"));
    assert_eq!((other_order.status, other_order.code().as_str()), (422, "IDEMPOTENCY_KEY_REUSED"));
    let other_user =
        post(port, &["idempotency-key: 6d4b", "x-user-id: bob"], &ORDER.replace("2.5", "3"));
    assert_eq!(other_user.status, 201);
    assert_eq!(get(port, "/orders").json()["orders"].as_array().map(Vec::len), Some(2));
}
