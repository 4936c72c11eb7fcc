//! What becomes of an order, as server-sent events or over a `WebSocket`.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        State,
        ws::{
            CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use tokio::time::{sleep, timeout};
use underpin_fault::{Fault, Kind, ResultExt as _};

use super::{
    Service,
    orders::{Id, no_such_order},
};
use crate::{
    changes::{Feed, News},
    order::OrderId,
};

/// A client that is told goodbye comes back after this time, when another process serves.
const RETRY: Duration = Duration::from_millis(500);
/// How often something is sent on a quiet line, so that a dead one shows and no proxy closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client may leave a message unread.
const PATIENCE: Duration = Duration::from_secs(5);
/// All that a client has to send are pongs and a close.
const LARGEST_MESSAGE: usize = 1024;

/// Which of the two, the request says.
pub(super) async fn follow(
    State(service): State<Service>,
    Id(id): Id,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Fault> {
    if !wants_websocket(&headers) {
        return Ok(events(watch(&service, id).await?));
    }
    let upgrade = upgrade.fault(Kind::InvalidArgument, "UPGRADE_FAILED")?;
    let feed = watch(&service, id).await?;
    let upgrade = upgrade.max_message_size(LARGEST_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| talk(socket, feed)))
}

/// Some clients offer other upgrades with every request.
fn wants_websocket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

async fn watch(service: &Service, id: OrderId) -> Result<Feed, Fault> {
    service.changes.watch(id).await?.ok_or_else(no_such_order)
}

fn events(feed: Feed) -> Response {
    let events = stream::unfold(feed, async |mut feed| {
        let event = match feed.next().await? {
            News::Update(update) => Event::default().event("order").json_data(&*update),
            News::Goodbye => {
                Ok(Event::default().event("goodbye").retry(RETRY).data("the service is stopping"))
            }
        };
        // It cannot fail: an update has no part that JSON does not know.
        Some((Ok::<_, Infallible>(event.ok()?), feed))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// Sends what there is to tell until the client or the service leaves; until then the connection counts as one in use.
async fn talk(mut socket: WebSocket, mut feed: Feed) {
    let farewell = loop {
        let message = tokio::select! {
            news = feed.next() => match news {
                Some(News::Update(update)) => match serde_json::to_string(&*update) {
                    Ok(json) => Message::text(json),
                    Err(_) => break Some(close_code::ERROR),
                },
                Some(News::Goodbye) => break Some(close_code::AWAY),
                None => break Some(close_code::ERROR),
            },
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_))) => break None,
                // Pings are answered by the library; nothing else is expected.
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
            () = sleep(KEEP_ALIVE) => Message::Ping(Bytes::new()),
        };
        if !matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(()))) {
            return;
        }
    };
    let end = async {
        if let Some(code) = farewell {
            let close = CloseFrame { code, reason: Utf8Bytes::default() };
            socket.send(Message::Close(Some(close))).await?;
        }
        // Reading on sends the answer to a close, and waits for the answer to ours.
        while let Some(Ok(_)) = socket.recv().await {}
        Ok::<_, axum::Error>(())
    };
    let _ = timeout(PATIENCE, end).await;
}
