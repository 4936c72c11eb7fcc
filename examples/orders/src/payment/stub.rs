//! A payment provider for the developer's machine, which can be as bad as a real one.
//!
//! It charges nobody, and keeps its books in memory: they tell whether its clients charge an order twice.

mod connection;
mod ledger;
mod mode;

use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::stream;
use tokio::{net::TcpListener, time::sleep};
use underpin_fault::{Fault, Kind};
use underpin_shutdown::{Phase, Plan, Shutdown, serve};
use underpin_tasks::Nursery;

use self::{
    connection::{Abrupt, Reset, Resetting},
    ledger::{Charged, Ledger},
};
pub(crate) use self::{
    ledger::Counts,
    mode::{Mode, Setting},
};
use super::{Charge, Receipt};
use crate::{
    order::invalid,
    routes::{Fields, JsonBody, no_such_method, no_such_page},
    tell,
};

/// Bytes of a key or a reference: a user and a key of a user, of 128 each, and twice as many in quotes.
const LONGEST: usize = 600;
/// What a client that asks too often is told.
const COME_BACK: Duration = Duration::from_secs(1);
/// Between two bytes of an answer that trickles.
const DRIP: Duration = Duration::from_secs(1);

/// `orders payment-stub`: the stub as a process of its own.
pub(crate) async fn main(port: u16, shutdown: Shutdown) -> io::Result<()> {
    let listener = bind(port).await?;
    let address = listener.local_addr()?;
    tell(&format!("payment stub listens on http://{address}: try curl http://{address}/charges"));
    Stub::new().serve(listener, &shutdown).await
}

/// Starts one among the tasks of this process, on any port, and says where. It is told of no stop: it is there until the last order is placed.
pub(crate) async fn start(tasks: &Nursery) -> io::Result<(Stub, String)> {
    let listener = bind(0).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let stub = Stub::new();
    let serving = stub.clone();
    let serve = async move { serving.serve(listener, &Shutdown::new(Plan::new())).await };
    tasks.spawn("payment stub", serve);
    Ok((stub, url))
}

/// A socket on the loopback address. Port 0 is any that is free.
async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        let what = format!("cannot listen on port {port}: {error}: choose another one");
        io::Error::new(error.kind(), what)
    })
}

/// The stub. Clones are the same.
#[derive(Clone)]
pub(crate) struct Stub {
    books: Arc<Mutex<Books>>,
}

struct Books {
    ledger: Ledger,
    setting: Setting,
}

impl Stub {
    fn new() -> Stub {
        let books = Books { ledger: Ledger::new(), setting: Setting::default() };
        Stub { books: Arc::new(Mutex::new(books)) }
    }

    async fn serve(self, listener: TcpListener, shutdown: &Shutdown) -> io::Result<()> {
        let routes = Router::new()
            .route("/charges", get(counts).post(charge))
            .route("/mode", get(mode).put(set_mode))
            .fallback(no_such_page)
            .method_not_allowed_fallback(no_such_method)
            .with_state((self, shutdown.clone()));
        let handshake = |stream| std::future::ready(Ok(Abrupt::new(stream)));
        serve(listener, Resetting(routes), shutdown).handshake(handshake).await
    }

    /// From the next charge on.
    pub(crate) fn set(&self, setting: impl Into<Setting>) {
        self.lock().setting = setting.into();
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().ledger.counts()
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fields for Charge {
    const FIELDS: &'static str = "reference, customer, cents and description";
}

impl Fields for Setting {
    const FIELDS: &'static str = "mode (ok, decline, fail, fail-after, hang, trickle, reset or throttle) and for, a number of charges or nothing";
}

async fn charge(
    State((stub, shutdown)): State<(Stub, Shutdown)>,
    headers: HeaderMap,
    JsonBody(charge): JsonBody<Charge>,
) -> Result<Response, Fault> {
    let key = key(&headers)?;
    if !(1..=LONGEST).contains(&charge.reference.len()) {
        let rule = format!("must have 1 to {LONGEST} bytes");
        return Err(invalid("the charge has a mistake").expose("reference", rule));
    }
    let mode = {
        let mut books = stub.lock();
        books.ledger.requested();
        books.setting.next()
    };
    let charge = || match stub.lock().ledger.charge(key, &charge) {
        Charged::Now(receipt) => Ok((StatusCode::CREATED, receipt)),
        Charged::Before(receipt) => Ok((StatusCode::OK, receipt)),
        Charged::KeyIsTaken => Err(Fault::new(Kind::AlreadyExists, "IDEMPOTENCY_KEY_REUSED")
            .status(422)
            .message("the key was used for another charge")),
    };
    match mode {
        Mode::Ok => charge().map(|(status, receipt)| (status, Json(receipt)).into_response()),
        Mode::Decline => Err(Fault::new(Kind::FailedPrecondition, "CARD_DECLINED")
            .status(402)
            .message("the customer cannot pay")),
        Mode::Fail => Err(failed()),
        Mode::FailAfter => charge().and_then(|_| Err(failed())),
        Mode::Hang => {
            shutdown.at(Phase::Draining).await;
            Err(Fault::new(Kind::Unavailable, "STOPPING").message("the stub is stopping"))
        }
        Mode::Trickle => charge().map(|(status, receipt)| trickle(status, &receipt, shutdown)),
        Mode::Reset => Ok(Reset.into_response()),
        Mode::Throttle => Err(Fault::new(Kind::ResourceExhausted, "TOO_MANY_CHARGES")
            .message("too many charges")
            .retry_after(COME_BACK)),
    }
}

fn failed() -> Fault {
    Fault::new(Kind::Internal, "STUB_FAILS")
}

/// A byte a second, and all that is left when the stub stops.
fn trickle(status: StatusCode, receipt: &Receipt, shutdown: Shutdown) -> Response {
    let body = Bytes::from(serde_json::json!(receipt).to_string());
    let drips = stream::unfold((body, shutdown), |(mut rest, shutdown)| async move {
        tokio::select! {
            () = sleep(DRIP) => {}
            _ = shutdown.at(Phase::Draining) => {}
        }
        let length = if shutdown.is_stopping() { rest.len() } else { rest.len().min(1) };
        (length > 0).then(|| (Ok::<_, io::Error>(rest.split_to(length)), (rest, shutdown)))
    });
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (status, content_type, Body::from_stream(drips)).into_response()
}

/// The key: a name, in which nothing is looked for.
fn key(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let is_key = |text: &&str| (1..=LONGEST).contains(&text.len());
    match value.to_str().ok().filter(is_key) {
        Some(key) if values.next().is_none() => Ok(Some(key)),
        _ => {
            let rule = format!("must be 1 to {LONGEST} visible ASCII characters or spaces, once");
            Err(invalid("a header has a mistake").expose("idempotency-key", rule))
        }
    }
}

async fn counts(State((stub, _)): State<(Stub, Shutdown)>) -> Json<Counts> {
    Json(stub.counts())
}

async fn mode(State((stub, _)): State<(Stub, Shutdown)>) -> Json<Setting> {
    Json(stub.lock().setting)
}

async fn set_mode(
    State((stub, _)): State<(Stub, Shutdown)>,
    JsonBody(setting): JsonBody<Setting>,
) -> Json<Setting> {
    stub.set(setting);
    Json(setting)
}
