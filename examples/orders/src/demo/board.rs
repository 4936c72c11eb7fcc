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
/// Of a terminal, and one less: some begin a new line with the last column.
const WIDTH: usize = 79;

/// On a terminal one line that is drawn again and again, elsewhere a line for each thing that happens.
pub(super) struct Board {
    tally: Arc<Tally>,
    begun: Instant,
    is_terminal: bool,
    /// What happened last.
    last: Mutex<String>,
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
            show("\n\n");
        }
    }

    fn draw(&self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{seconds:5.1} s  {}  {last}", self.tally.line());
        if self.is_terminal {
            // To the start of the line, and clear it. One that is wider than the screen would leave its head behind.
            let line: String = line.chars().take(WIDTH).collect();
            show(&format!("\r\x1b[K{line}"));
        } else {
            show(&format!("{line}\n"));
        }
    }
}

/// Nobody there is no error.
pub(super) fn show(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
