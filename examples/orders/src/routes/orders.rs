//! Placing orders, and reading them.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequestParts, Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use underpin_fault::{Fault, Kind};
use underpin_ratelimit::Denied;

use super::{Fields, JsonBody, Service};
use crate::{
    order::{Draft, Order, OrderId, invalid},
    store::Sender,
};

/// When to come back while no orders are taken.
const CLOSED: Duration = Duration::from_secs(30);

const DEFAULT_LIMIT: u32 = 50;
const LARGEST_LIMIT: u32 = 100;
/// Bytes of a user's name, or of a key.
const LONGEST: usize = 128;

impl Fields for Draft {
    const FIELDS: &'static str = "symbol, side, quantity and price";
}

pub(super) async fn place(
    State(service): State<Service>,
    headers: HeaderMap,
    JsonBody(draft): JsonBody<Draft>,
) -> Result<Response, Fault> {
    let order = draft.check()?;
    let sender = Sender {
        user: word(&headers, "x-user-id")?.unwrap_or("anonymous").to_owned(),
        idempotency_key: word(&headers, "idempotency-key")?.map(str::to_owned),
    };
    if !service.live.takes_orders() {
        return Err(Fault::new(Kind::Unavailable, "ORDERS_CLOSED")
            .message("no orders are taken now: try again later")
            .retry_after(CLOSED));
    }
    // One and the same, also if the rate changes meanwhile.
    let limiter = service.live.limiter();
    let granted = match limiter.check(&sender.user) {
        Ok(granted) => granted,
        Err(denied) => return Ok(too_many(denied)),
    };
    let placed = service.desk.place(sender, order).await;
    let mut response = placed.map(created).into_response();
    limiter.add_headers(&granted, response.headers_mut());
    Ok(response)
}

fn created(order: Order) -> Response {
    let location = format!("/orders/{}", order.id);
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(order)).into_response()
}

fn too_many(denied: Denied) -> Response {
    let mut headers = HeaderMap::new();
    denied.add_headers(&mut headers);
    let fault = Fault::new(Kind::ResourceExhausted, "RATE_LIMITED")
        .message("too many orders: try again later")
        .retry_after(denied.retry_after.unwrap_or(Duration::from_secs(1)))
        .caused_by(denied);
    let mut response = fault.into_response();
    response.headers_mut().extend(headers);
    response
}

pub(super) async fn show(State(service): State<Service>, Id(id): Id) -> Result<Json<Order>, Fault> {
    service.store.find(id).await?.map(Json).ok_or_else(no_such_order)
}

/// Text, because a fault names a number that is none better than a parser does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Excerpt {
    after: Option<String>,
    limit: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Listing {
    orders: Vec<Order>,
    next: Option<OrderId>,
}

pub(super) async fn list(
    State(service): State<Service>,
    excerpt: Result<Query<Excerpt>, QueryRejection>,
) -> Result<Json<Listing>, Fault> {
    let Query(Excerpt { after, limit }) = excerpt
        .map_err(|error| invalid("the query takes after and limit, each once").caused_by(error))?;
    let limit = match limit.as_deref().map(str::parse) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit @ 1..=LARGEST_LIMIT)) => limit,
        Some(_) => {
            let rule = format!("must be a whole number from 1 to {LARGEST_LIMIT}");
            return Err(invalid("the query has a mistake").expose("limit", rule));
        }
    };
    let after = after.as_deref().map(|text| {
        let rule = "must be the id of an order";
        OrderId::parse(text).ok_or_else(|| invalid("the query has a mistake").expose("after", rule))
    });
    let page = service.store.page(after.transpose()?, limit).await?;
    Ok(Json(Listing { orders: page.orders, next: page.next }))
}

/// The id in the path. What is not even shaped like one is the id of no order.
pub(super) struct Id(pub(super) OrderId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id, Fault> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| OrderId::parse(&text));
        id.map(Id).ok_or_else(no_such_order)
    }
}

pub(super) fn no_such_order() -> Fault {
    Fault::new(Kind::NotFound, "ORDER_NOT_FOUND").message("there is no such order")
}

/// A header that is one word of visible ASCII, if it is there.
fn word<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let is_word = |text: &&str| {
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match value.to_str().ok().filter(is_word) {
        Some(word) if values.next().is_none() => Ok(Some(word)),
        _ => {
            let rule =
                format!("must be 1 to {LONGEST} visible ASCII characters without spaces, once");
            Err(invalid("a header has a mistake").expose(name, rule))
        }
    }
}
