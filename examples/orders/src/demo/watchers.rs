//! Clients that watch an order each, and come back when they are told goodbye.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{
    client::{Client, connect, read_head},
    crew::{Crew, IsOver},
    load,
    tally::Tally,
};

const WATCHERS: usize = 4;
/// A stream is never silent for longer: the service sends comments.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn start(address: SocketAddr, tally: &Arc<Tally>) -> Crew {
    Crew::start(WATCHERS, |is_over| {
        let tally = Arc::clone(tally);
        async move {
            let watched = watch(address, &tally, &is_over).await;
            watched.inspect_err(|error| tally.failed(error))
        }
    })
}

async fn watch(address: SocketAddr, tally: &Tally, is_over: &IsOver) -> io::Result<()> {
    let mut client = Client::new(address);
    let id = load::place(&mut client, tally).await?;
    while !is_over.get() {
        tally.stream_ended(follow(address, &id, tally).await?);
    }
    Ok(())
}

/// Reads a stream to its end: whether the last event was a goodbye.
async fn follow(address: SocketAddr, id: &str, tally: &Tally) -> io::Result<bool> {
    let mut stream = connect(address).await?;
    // In HTTP/1.0 a body without a length has no frames: it ends with the connection.
    let request = format!("GET /orders/{id}/events HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    if read_head(&mut stream).await?.status != 200 {
        return Err(io::Error::other("there is no stream of events"));
    }
    let mut event = String::new();
    loop {
        let mut line = String::new();
        if timeout(PATIENCE, stream.read_line(&mut line)).await?? == 0 {
            return Ok(event == "goodbye");
        }
        if let Some(name) = line.strip_prefix("event: ") {
            name.trim_end().clone_into(&mut event);
            tally.event();
        }
    }
}
