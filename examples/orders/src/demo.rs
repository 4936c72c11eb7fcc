//! `orders demo`: a payment provider fails and costs nobody any time; then two processes on one socket are replaced, one after the other, under
//! load, and nobody notices.
//!
//! It needs no server, no network and no set-up: the processes are this program again, on a loopback socket that they inherit, with
//! a database in a temporary folder; the payment provider is a stub inside of the demo.

mod board;
mod client;
mod crew;
mod fleet;
mod load;
mod outage;
mod table;
mod tally;
mod watchers;

use std::{
    collections::BTreeSet,
    error::Error,
    path::Path,
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::Value as Json;
use tokio::time::sleep;
use underpin_shutdown::{App, Phase, Shutdown};
use underpin_tasks::Nursery;

use self::{board::Board, client::Client, fleet::Fleet, table::Table, tally::Tally};
use crate::{
    activity,
    payment::stub::{self, Stub},
};

/// How often each of the two processes is replaced, unless another number is asked for.
pub(crate) const ROUNDS: u32 = 6;
const PROCESSES: u32 = 2;
/// How long both serve before one of them is replaced.
const CALM: Duration = Duration::from_millis(800);

type Failure = Box<dyn Error + Send + Sync>;

/// Runs it, and exits with 0 only if every figure is as it must be.
pub(crate) fn main(app: App, rounds: u32) -> ExitCode {
    let kept = Arc::new(OnceLock::new());
    let keep = Arc::clone(&kept);
    let report = app.run(|shutdown| async move {
        let table = play(rounds, &shutdown).await?;
        // It is empty: this runs once.
        let _ = keep.set(table);
        Ok::<_, Failure>(())
    });
    // After the report, so that it is what stands at the end.
    let Some(table) = kept.get() else { return ExitCode::FAILURE };
    board::show(&format!("\n{table}"));
    ExitCode::from(if table.holds() { report.exit_code() } else { 1 })
}

async fn play(rounds: u32, shutdown: &Shutdown) -> Result<Table, Failure> {
    let tally = Arc::new(Tally::default());
    let board = Board::new(&tally);
    let tasks = Nursery::new();
    let (stub, payment_url) = stub::start(&tasks).await?;
    let mut fleet = Fleet::new(payment_url)?;
    let played = tokio::select! {
        played = perform(&mut fleet, rounds, &stub, &tally, &board) => played,
        reason = shutdown.at(Phase::Draining) => Err(format!("interrupted: {reason}").into()),
        never = board.keep_drawing() => match never {},
    };
    board.finish();
    // Whatever has happened, nobody is left behind.
    fleet.stop_all().await;
    played
}

/// The story.
async fn perform(
    fleet: &mut Fleet,
    rounds: u32,
    stub: &Stub,
    tally: &Arc<Tally>,
    board: &Board,
) -> Result<Table, Failure> {
    let address = fleet.address()?;
    let restarts = rounds * PROCESSES;
    board.say(format!("{PROCESSES} processes are to serve {address}"));
    let id = fleet.start().await?;
    board.say(format!("process {id} serves"));
    // With one process, for each has a circuit of its own.
    let outage = outage::play(address, stub, tally, board).await?;
    for _ in 1..PROCESSES {
        let id = fleet.start().await?;
        board.say(format!("process {id} serves"));
    }
    let load = load::start(address, tally);
    let watchers = watchers::start(address, tally);
    let mut exits = Vec::new();
    for restart in 1..=restarts {
        sleep(CALM).await;
        // The new one serves before the old one is asked to leave.
        let id = fleet.start().await?;
        let exit = fleet.stop_oldest().await?;
        board.say(format!("restart {restart} of {restarts}: process {id} for {}", exit.id));
        exits.push(exit);
    }
    sleep(CALM).await;
    load.let_go();
    load.ended().await?;
    let stored = stored_orders(&mut Client::new(address)).await?;
    board.say("the load has ended, and so may both".to_owned());
    watchers.let_go();
    for _ in 0..PROCESSES {
        exits.push(fleet.stop_oldest().await?);
    }
    watchers.ended().await?;
    let recorded = recorded_orders(fleet.folder()).await?;
    let (counts, restarts) = (tally.counts(), restarts as usize);
    Ok(Table::new(&counts, &outage, restarts, &stored, &recorded, &exits, stub.counts()))
}

/// The orders that the activity log tells of, each as often as it is told of.
async fn recorded_orders(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut orders = Vec::new();
    let mut records = underpin_fsx::read_jsonl::<Json>(folder.join(activity::FILE));
    while let Some(record) = records.next().await {
        let record = record?;
        if record["event"] == "order_placed" {
            orders.push(record["order_id"].as_str().ok_or("a record names no order")?.to_owned());
        }
    }
    Ok(orders)
}

/// All orders that there are, page by page.
async fn stored_orders(client: &mut Client) -> Result<BTreeSet<String>, Failure> {
    let mut ids = BTreeSet::new();
    let mut path = "/orders?limit=100".to_owned();
    loop {
        let answer = client.get(&path).await?;
        let page: Json = serde_json::from_str(&answer.body)?;
        let orders = page["orders"].as_array().ok_or("a page has no orders")?;
        ids.extend(orders.iter().filter_map(|order| order["id"].as_str()).map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => path = format!("/orders?limit=100&after={next}"),
            None => return Ok(ids),
        }
    }
}
