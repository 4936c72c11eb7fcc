//! What is shown.

use std::{
    convert::Infallible,
    io::{self, IsTerminal as _, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::tally::Tally;

const REDRAW: Duration = Duration::from_millis(100);

/// On a terminal one line that is drawn again and again, elsewhere a line for each thing that happens.
pub(super) struct Board {
    tally: Arc<Tally>,
    begun: Instant,
    is_terminal: bool,
    /// What happened last.
    last: Mutex<String>,
}

/// A line of the closing table.
#[derive(Debug)]
pub(super) struct Row {
    name: &'static str,
    value: String,
    holds: bool,
}

impl Board {
    pub(super) fn new(tally: &Arc<Tally>) -> Board {
        Board {
            tally: Arc::clone(tally),
            begun: Instant::now(),
            is_terminal: io::stdout().is_terminal(),
            last: Mutex::default(),
        }
    }

    pub(super) fn say(&self, what: String) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = what;
        self.draw();
    }

    pub(super) async fn keep_drawing(&self) -> Infallible {
        loop {
            sleep(REDRAW).await;
            if self.is_terminal {
                self.draw();
            }
        }
    }

    /// Leaves the line as it is.
    pub(super) fn finish(&self) {
        if self.is_terminal {
            say("\n\n");
        }
    }

    fn draw(&self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{seconds:5.1} s  {}  {last}", self.tally.line());
        // To the start of the line, and clear it.
        say(&if self.is_terminal { format!("\r\x1b[K{line}") } else { format!("{line}\n") });
    }
}

impl Row {
    pub(super) fn new(name: &'static str, value: String, holds: bool) -> Row {
        Row { name, value, holds }
    }
}

/// Shows the table, and tells whether every line of it holds.
pub(super) fn show(rows: &[Row]) -> bool {
    let lines = rows.iter().map(|Row { name, value, holds }| {
        let mark = if *holds { "ok " } else { "BAD" };
        format!("  {mark}  {name:<12}{value}\n")
    });
    let table: String = lines.collect();
    let all_hold = rows.iter().all(|row| row.holds);
    let verdict = if all_hold { "Nobody noticed." } else { "Somebody noticed." };
    say(&format!("\n{table}\n{verdict}\n"));
    all_hold
}

/// Nobody there is no error.
fn say(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
