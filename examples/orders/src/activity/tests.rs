//! The log against real files.

use std::{
    fs::{self, File},
    ops::Range,
    time::Duration,
};

use axum::body::Bytes;
use futures_util::TryStreamExt as _;
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::time::{Instant, advance, pause, resume, sleep};
use underpin_health::State;
use underpin_shutdown::{Plan, Reason};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
/// The smallest that is allowed: some 600 records.
const FILE_SIZE: u64 = 64 << 10;

struct Setting {
    dir: TempDir,
    health: Health,
    shutdown: Shutdown,
    activity: Activity,
}

impl Setting {
    fn new() -> Setting {
        Setting::prepared(|_| ())
    }

    fn prepared(prepare: impl FnOnce(&TempDir)) -> Setting {
        let dir = tempfile::tempdir().unwrap();
        prepare(&dir);
        let (health, shutdown) = (Health::new(), Shutdown::new(Plan::new()));
        let switch = health.switch("activity log").weight(Weight::Optional);
        let activity = Activity::with(dir.path(), FILE_SIZE, switch, &shutdown);
        Setting { dir, health, shutdown, activity }
    }

    fn fill(&self, ids: Range<i64>) {
        self.activity.filled(ids.map(OrderId));
    }

    /// Ends the recorder, as a stop does.
    async fn stop(&self) {
        self.shutdown.trigger(Reason::Requested("the test".into()));
        self.shutdown.clone().complete().await;
    }

    fn state(&self) -> (State, String) {
        let part = self.health.snapshot().parts.into_iter().next().expect("it is registered");
        (part.state, part.reason.unwrap_or_default())
    }

    /// The orders that the log says were filled.
    async fn orders(&self) -> Vec<i64> {
        read(&self.activity).await.iter().map(order).collect()
    }
}

async fn read(activity: &Activity) -> Vec<Json> {
    let lines: Vec<Bytes> = activity.read().await.unwrap().try_collect().await.unwrap();
    let lines = lines.concat();
    lines
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice(line).expect("each line is a record"))
        .collect()
}

fn order(record: &Json) -> i64 {
    OrderId::parse(record["order_id"].as_str().expect("an order")).expect("an id").0
}

async fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(5)).await; // sleep-ok: nobody tells of it
    }
}

#[tokio::test]
async fn what_was_told_before_the_stop_is_in_the_file_in_its_order() {
    let setting = Setting::new();
    let sender = Sender { user: "ann".to_owned(), idempotency_key: None };
    setting.activity.paid(&sender, "ch_1");
    setting.activity.failed(&sender, &Fault::bug("PAYMENT_ERROR"));
    setting.fill(0..300);
    setting.stop().await;
    let records = read(&setting.activity).await;
    assert_eq!(records.len(), 302);
    for (record, event) in
        records.iter().zip(["order_paid", "order_failed", "order_filled", "order_filled"])
    {
        assert_eq!(record["event"], event);
        assert!(record["id"].is_string() && record["timestamp"].is_string(), "{record}");
    }
    assert_eq!((&records[0]["user"], &records[0]["payment"]), (&"ann".into(), &"ch_1".into()));
    assert_eq!(records[1]["code"], "PAYMENT_ERROR");
    assert!(records[2..].iter().map(order).eq(0..300));
    assert_eq!((setting.activity.losses.records(), setting.state().0), (0, State::Up));
    // Whoever tells later is not heard, and that is counted.
    setting.fill(7..8);
    assert_eq!((setting.activity.losses.records(), setting.state().0), (1, State::Down));
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_degrades_it_until_it_can() {
    let setting = Setting::prepared(|dir| fs::create_dir(dir.path().join(FILE)).unwrap());
    wait_for("it is tried", || setting.state().0 == State::Down).await;
    let (_, reason) = setting.state();
    assert!(reason.contains("it is not a regular file"), "{reason}");
    setting.fill(0..3);
    wait_for("they are lost", || setting.activity.losses.records() == 3).await;
    fs::remove_dir(setting.dir.path().join(FILE)).unwrap();
    wait_for("it is open", || setting.dir.path().join(FILE).is_file()).await;
    setting.fill(3..5);
    setting.stop().await;
    assert_eq!(setting.orders().await, [3, 4]);
    assert_eq!(setting.activity.losses.records(), 3);
}

#[tokio::test]
async fn a_disk_that_hangs_holds_up_nobody_and_what_does_not_fit_is_counted() {
    let setting = Setting::new();
    let path = setting.dir.path().join(FILE);
    wait_for("it is open", || path.is_file()).await;
    // Another process that was stopped in the middle of an append.
    let other = File::open(&path).unwrap();
    other.lock().unwrap();
    setting.fill(0..5000);
    // At most one batch was taken out of the queue.
    let lost = setting.activity.losses.records();
    assert!((5000 - 1024 - 256..5000).contains(&lost), "{lost}");
    assert!(setting.state().1.contains("records were lost: they come faster"));
    other.unlock().unwrap();
    setting.stop().await;
    let written = setting.orders().await;
    assert_eq!(written.len() as u64 + lost, 5000);
    assert!(
        written.is_sorted()
            && written.first() == Some(&0)
            && written.windows(2).all(|pair| pair[0] + 1 == pair[1])
    );
}

#[tokio::test]
async fn whoever_reads_during_rotations_misses_nothing_in_between() {
    let setting = Setting::new();
    let mut last = 0;
    for round in 0..40 {
        setting.fill(round * 100..(round + 1) * 100);
        let orders = setting.orders().await;
        assert!(orders.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{orders:?}");
        let end = orders.last().map_or(0, |last| last + 1);
        assert!(end >= last, "{end} is before {last}");
        last = end;
        wait_for("there is room", || setting.activity.inbox.capacity() > 500).await;
    }
    setting.stop().await;
    let orders = setting.orders().await;
    assert_eq!(orders.last(), Some(&3999));
    assert!(orders.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{orders:?}");
    // Of the oldest, some are gone.
    assert!(orders.len() < 4000 && setting.dir.path().join("activity.jsonl.3").is_file());
    assert!(!setting.dir.path().join("activity.jsonl.4").exists());
}

#[tokio::test]
async fn what_is_no_record_is_skipped_and_what_a_kill_has_torn_spoils_nothing() {
    let mine = "{\"event\":\"of another version\", \"order_id\":\"ord_0000000000000007\"}";
    let torn = "{\"id\":\"half of a rec";
    let setting = Setting::prepared(|dir| {
        let text = [mine.as_bytes(), b"\nno json\n\n", &[0xff, b'\n'], torn.as_bytes()].concat();
        let path = dir.path().join(FILE);
        underpin_fsx::blocking::write(path, text).unwrap();
    });
    setting.fill(8..10);
    setting.stop().await;
    let lines: Vec<Bytes> = setting.activity.read().await.unwrap().try_collect().await.unwrap();
    // As it was written, to the byte.
    assert!(lines.concat().starts_with(format!("{mine}\n").as_bytes()));
    assert_eq!(setting.orders().await, [7, 8, 9]);
}

#[tokio::test]
async fn readers_have_so_many_places_and_who_does_not_read_loses_his() {
    let record = "{\"order_id\":\"ord_0000000000000001\"}\n";
    let setting = Setting::prepared(|dir| {
        let path = dir.path().join(FILE);
        underpin_fsx::blocking::write(path, record.repeat(100_000)).unwrap();
    });
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut reader = setting.activity.read().await.unwrap();
        // One that has begun.
        assert!(reader.try_next().await.unwrap().is_some());
        readers.push(reader);
    }
    let refused = setting.activity.read().await.err().expect("all places are taken");
    assert_eq!((refused.http_status(), refused.code()), (503, "ACTIVITY_BUSY"));
    drop(readers.pop());
    wait_for("a place is free", || setting.activity.readers.places() == 1).await;

    // Others have theirs as long as they read.
    pause();
    let deadline = std::time::Instant::now() + PATIENCE;
    while setting.activity.readers.places() < 8 {
        assert!(std::time::Instant::now() < deadline, "they keep their places");
        advance(Duration::from_secs(1)).await;
    }
    resume();
    for reader in readers {
        let error = reader.try_collect::<Vec<_>>().await.map(|_| "all").unwrap_err();
        assert_eq!(error.to_string(), "the log could not be read to its end");
    }
    assert_eq!(setting.orders().await.len(), 100_000);
}
