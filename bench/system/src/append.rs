//! Records are appended and acknowledged once they are on the disk, by several at the same time.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use underpin_fsx::{Flush, blocking::Jsonl};

use crate::Event;

const TIME: Duration = Duration::from_millis(1_500);

/// Records a second, from so many producers.
fn rate(producers: usize, append: impl Fn(&Event) + Sync) -> f64 {
    let begin = Instant::now();
    let count: u64 = thread::scope(|scope| {
        let produce = || {
            let (mut event, mut count) = (Event::new(0), 0);
            while begin.elapsed() < TIME {
                event.id += 1;
                append(&event);
                count += 1;
            }
            count
        };
        let threads: Vec<_> = (0..producers).map(|_| scope.spawn(produce)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    count as f64 / begin.elapsed().as_secs_f64()
}

pub(crate) fn run(dir: &Path) -> io::Result<()> {
    println!(
        "\n{:<12}{:>16}{:>24}{:>8}{:>22}",
        "producers", "fsx, durable", "a flush each, durable", "ratio", "fsx, not flushed"
    );
    for producers in [1, 8, 64] {
        let open = |name, flush| Jsonl::at(dir.join(name)).flush(flush).open();
        let (durable, loose) = (open("durable", Flush::Always)?, open("loose", Flush::Never)?);
        let each = Mutex::new(OpenOptions::new().create(true).append(true).open(dir.join("each"))?);
        let ours = rate(producers, |event| durable.append(event).expect("it is appended"));
        let theirs = rate(producers, |event| {
            let mut line = serde_json::to_vec(event).expect("it is JSON");
            line.push(b'\n');
            let mut file = each.lock().expect("no panic");
            file.write_all(&line).and_then(|()| file.sync_data()).expect("it is appended");
        });
        let not_flushed = rate(producers, |event| loose.append(event).expect("it is appended"));
        println!(
            "{producers:<12}{ours:>14.0}/s{theirs:>22.0}/s{:>8.1}{not_flushed:>20.0}/s",
            ours / theirs
        );
    }
    Ok(())
}
