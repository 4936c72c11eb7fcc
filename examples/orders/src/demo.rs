//! `orders demo`: two processes on one socket are replaced, one after the other, under load, and nobody notices.
//!
//! It needs no server, no network and no set-up: the processes are this program again, on a loopback socket that they inherit, with
//! a database in a temporary folder.

mod board;
mod client;
mod fleet;
mod load;
mod tally;
mod watchers;

use std::{
    collections::BTreeSet,
    error::Error,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value as Json;
use tokio::time::sleep;
use underpin_shutdown::{App, Phase, Shutdown};

use self::{
    board::{Board, Row},
    client::Client,
    fleet::{Exit, Fleet},
    load::Load,
    tally::Tally,
    watchers::Watchers,
};

/// How often each of the two processes is replaced, unless another number is asked for.
pub(crate) const ROUNDS: u32 = 6;
const PROCESSES: u32 = 2;
/// How long both serve before one of them is replaced.
const CALM: Duration = Duration::from_millis(800);

type Failure = Box<dyn Error + Send + Sync>;

/// Runs it, and exits with 0 only if every figure is as it must be.
pub(crate) fn main(app: App, rounds: u32) -> ExitCode {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let report = app.run(|shutdown| async move {
        let rows = play(rounds, &shutdown).await?;
        *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(rows);
        Ok::<_, Failure>(())
    });
    // After the report, so that it is what stands at the end.
    let rows = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    let all_hold = rows.is_some_and(|rows| board::show(&rows));
    ExitCode::from(if all_hold { report.exit_code() } else { 1 })
}

async fn play(rounds: u32, shutdown: &Shutdown) -> Result<Vec<Row>, Failure> {
    let tally = Arc::new(Tally::default());
    let board = Board::new(&tally);
    let mut fleet = Fleet::new()?;
    let played = tokio::select! {
        played = replace_all(&mut fleet, rounds, &tally, &board) => played,
        reason = shutdown.at(Phase::Draining) => Err(format!("interrupted: {reason}").into()),
        never = board.keep_drawing() => match never {},
    };
    board.finish();
    // Whatever has happened, nobody is left behind.
    fleet.stop_all().await;
    played
}

/// The story.
async fn replace_all(
    fleet: &mut Fleet,
    rounds: u32,
    tally: &Arc<Tally>,
    board: &Board,
) -> Result<Vec<Row>, Failure> {
    let address = fleet.address()?;
    let restarts = rounds * PROCESSES;
    board.say(format!("{PROCESSES} processes on http://{address}, {restarts} restarts under load"));
    for _ in 0..PROCESSES {
        let id = fleet.start().await?;
        board.say(format!("process {id} serves"));
    }
    let load = Load::start(address, tally);
    let watchers = Watchers::start(address, tally);
    let mut exits = Vec::new();
    for restart in 1..=restarts {
        sleep(CALM).await;
        // The new one serves before the old one is asked to leave.
        let id = fleet.start().await?;
        let exit = fleet.stop_oldest().await?;
        board.say(format!("restart {restart} of {restarts}: process {id} serves, {exit}"));
        exits.push(exit);
    }
    sleep(CALM).await;
    load.stop().await?;
    let stored = stored_orders(&mut Client::new(address)).await?;
    board.say("the load has ended, and so may all".to_owned());
    watchers.let_go();
    for _ in 0..PROCESSES {
        exits.push(fleet.stop_oldest().await?);
    }
    watchers.ended().await?;
    Ok(rows(tally, &stored, &exits))
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

fn rows(tally: &Tally, stored: &BTreeSet<String>, exits: &[Exit]) -> Vec<Row> {
    let counts = tally.counts();
    let clean = exits.iter().filter(|exit| exit.is_clean()).count();
    let (ended, goodbyes, events) = (counts.streams, counts.goodbyes, counts.events);
    let percentile = |percent: usize| {
        let times = &counts.times;
        times.get(times.len() * percent / 100).copied().unwrap_or_default()
    };
    let examples = counts.examples.iter().map(|example| format!("\n       {example}"));
    let failures = format!("{}{}", counts.failures, examples.collect::<String>());
    vec![
        Row::new("requests", counts.requests.to_string(), counts.requests > 0),
        Row::new("failures", failures, counts.failures == 0),
        Row::new("p50, p99", format!("{:.1?}, {:.1?}", percentile(50), percentile(99)), true),
        Row::new(
            "restarts",
            (exits.len() - PROCESSES as usize).to_string(),
            exits.len() > PROCESSES as usize,
        ),
        Row::new("exit codes", format!("{clean} of {} are 0", exits.len()), clean == exits.len()),
        Row::new(
            "orders",
            format!("{} acknowledged, {} stored", counts.orders.len(), stored.len()),
            !stored.is_empty() && counts.orders == *stored,
        ),
        Row::new(
            "streams",
            format!("{ended} ended, {goodbyes} told goodbye, {events} events"),
            ended > 0 && ended == goodbyes && events > 0,
        ),
    ]
}
