//! Clients that place and read orders without a pause longer than a blink.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value as Json;
use tokio::time::{Instant, sleep};

use super::{
    client::{Answer, Client},
    crew::{Crew, IsOver},
    tally::Tally,
};

const CLIENTS: usize = 8;
/// Between two requests on one connection. Far less than the lame duck, so that each connection is told to close.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) fn start(address: SocketAddr, tally: &Arc<Tally>) -> Crew {
    Crew::start(CLIENTS, |is_over| {
        let tally = Arc::clone(tally);
        async move {
            trade(&mut Client::new(address), &tally, &is_over).await;
            Ok::<_, Infallible>(())
        }
    })
}

async fn trade(client: &mut Client, tally: &Tally, is_over: &IsOver) {
    while !is_over.get() {
        if let Err(error) = trade_once(client, tally).await {
            tally.failed(error);
        }
    }
}

/// Places an order, reads it, and reads those after it.
async fn trade_once(client: &mut Client, tally: &Tally) -> io::Result<()> {
    let id = place(client, tally).await?;
    sleep(PAUSE).await;
    for path in [format!("/orders/{id}"), format!("/orders?after={id}&limit=10")] {
        let begun = Instant::now();
        let answer = client.get(&path).await;
        tally.answered(begun.elapsed());
        expect(200, &answer?)?;
        sleep(PAUSE).await;
    }
    Ok(())
}

pub(super) const ORDER: &str = r#"{"symbol":"ACME","side":"buy","quantity":1.5,"price":0}"#;

/// Places an order, and keeps what the service said it has.
pub(super) async fn place(client: &mut Client, tally: &Tally) -> io::Result<String> {
    let begun = Instant::now();
    let answer = client.post("/orders", ORDER).await;
    tally.answered(begun.elapsed());
    placed(&answer?, tally)
}

/// Keeps what the service said it has.
pub(super) fn placed(answer: &Answer, tally: &Tally) -> io::Result<String> {
    let order = expect(201, answer)?;
    let id = order["id"].as_str().ok_or_else(|| io::Error::other("an order has no id"))?;
    tally.acknowledged(id);
    Ok(id.to_owned())
}

fn expect(status: u16, answer: &Answer) -> io::Result<Json> {
    if answer.status != status {
        return Err(io::Error::other(format!("status {}: {}", answer.status, answer.body)));
    }
    Ok(serde_json::from_str(&answer.body)?)
}
