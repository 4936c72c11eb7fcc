//! The first scene: the payment provider fails, and is well again.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value as Json;
use tokio::time::{Instant, sleep, timeout};

use super::{Failure, board::Board, client::Client, load, tally::Tally};
use crate::payment::stub::{Mode, Stub};

/// What `BREAKER_OPEN` is in the demo, which has no minute to wait.
pub(super) const BREAKER_OPEN: Duration = Duration::from_secs(3);
/// Orders while all is well, before and after.
const CALM: usize = 5;
/// Orders of a round that is measured while the circuit is open.
const REFUSED: usize = 50;
/// What half of them may take at the most.
pub(super) const FAST: Duration = Duration::from_millis(1);
/// Between two looks whether the circuit lets an order pass.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(15);

/// What was seen of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outage {
    /// Calls that the provider has answered with an error until the circuit opened.
    pub(super) failed: u64,
    /// How long each order took that was refused then, the fastest first.
    pub(super) refused: Vec<Duration>,
    /// Calls that reached the provider meanwhile.
    pub(super) leaked: u64,
    /// How long it took from the opening to an order that was placed.
    pub(super) recovered: Duration,
    /// Whether the service said that it was degraded meanwhile, and then that it was ready.
    pub(super) told: bool,
}

/// Breaks the provider, watches one process of the service, and mends it.
pub(super) async fn play(
    address: SocketAddr,
    stub: &Stub,
    tally: &Tally,
    board: &Board,
) -> Result<Outage, Failure> {
    let mut client = Client::new(address);
    for _ in 0..CALM {
        load::place(&mut client, tally).await?;
    }
    let mut outage = Outage::default();
    let before = stub.counts().requests;
    stub.set(Mode::Fail);
    board.say("the payment provider fails".to_owned());
    timeout(PATIENCE, until_open(&mut client)).await.map_err(|_| "the circuit does not open")??;
    let opened = Instant::now();
    outage.failed = stub.counts().requests - before;
    board.say(format!(
        "its circuit is open for {BREAKER_OPEN:?}, a minute unless BREAKER_OPEN says so"
    ));

    // Others may use the machine: of several rounds, the first that is fast enough counts.
    while outage.refused.is_empty()
        || outage.median() >= FAST && opened.elapsed() < BREAKER_OPEN / 2
    {
        outage.refused = refused(&mut client).await?;
    }
    outage.leaked = stub.counts().requests - before - outage.failed;
    let is_degraded = status(&mut client).await? == "degraded";
    board.say(format!("{REFUSED} orders are refused, in {:.1?} each", outage.median()));

    stub.set(Mode::Ok);
    board.say("the payment provider is well again".to_owned());
    timeout(PATIENCE, until_placed(&mut client, tally)).await.map_err(|_| "it stays open")??;
    outage.recovered = opened.elapsed();
    for _ in 0..CALM {
        load::place(&mut client, tally).await?;
    }
    outage.told = is_degraded && status(&mut client).await? == "ready";
    board.say(format!("its circuit is closed, after {:.1?}", outage.recovered));
    Ok(outage)
}

impl Outage {
    pub(super) fn median(&self) -> Duration {
        self.refused.get(self.refused.len() / 2).copied().unwrap_or_default()
    }
}

/// Places orders until one is refused. Those before it fail.
async fn until_open(client: &mut Client) -> Result<(), Failure> {
    while !is_refused(client).await? {}
    Ok(())
}

/// Places orders until one is not refused, and that one is stored.
async fn until_placed(client: &mut Client, tally: &Tally) -> Result<(), Failure> {
    loop {
        let answer = client.post("/orders", load::ORDER).await?;
        match answer.status {
            503 => sleep(PAUSE).await,
            _ => return Ok(load::placed(&answer, tally).map(drop)?),
        }
    }
}

/// Whether an order is refused because the circuit is open; otherwise its payment has failed.
async fn is_refused(client: &mut Client) -> Result<bool, Failure> {
    let answer = client.post("/orders", load::ORDER).await?;
    let problem: Json = serde_json::from_str(&answer.body)?;
    match (answer.status, problem["code"].as_str()) {
        (503, Some("CIRCUIT_OPEN")) => Ok(true),
        (502, Some("PAYMENT_ERROR")) => Ok(false),
        _ => Err(format!("status {}: {}", answer.status, answer.body).into()),
    }
}

/// How long each order of a round takes, the fastest first.
async fn refused(client: &mut Client) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for _ in 0..REFUSED {
        let begun = Instant::now();
        if !is_refused(client).await? {
            return Err("the circuit does not stay open".into());
        }
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// What the service says of itself.
async fn status(client: &mut Client) -> Result<String, Failure> {
    let answer = client.get("/health/ready").await?;
    let health: Json = serde_json::from_str(&answer.body)?;
    Ok(health["status"].as_str().unwrap_or_default().to_owned())
}
