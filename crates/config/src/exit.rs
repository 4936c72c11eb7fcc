//! Ending a process that must not start.

use std::{
    io::{self, Write},
    process,
    sync::mpsc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    config::Config,
    env::Env,
    json,
    problem::{Problem, problems_to_json},
};

/// `EX_CONFIG` of `sysexits.h`: something was found in an unconfigured or misconfigured state.
const EX_CONFIG: i32 = 78;

/// How long a stream that nobody reads may hold up the exit.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) fn load_or_exit<T: Config>() -> T {
    match T::load_from(Env::process()) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                let line = log_line("warn", "configuration warnings", "warnings", &loaded.warnings);
                write_within(PATIENCE, vec![(Box::new(io::stdout()), line)]);
            }
            loaded.value
        }
        Err(problems) => {
            let list: Vec<Problem> = problems.iter().cloned().collect();
            let line = log_line("error", "invalid configuration", "problems", &list);
            let table = format!("{problems}\n");
            write_within(
                PATIENCE,
                vec![(Box::new(io::stdout()), line), (Box::new(io::stderr()), table)],
            );
            #[expect(
                clippy::exit,
                reason = "the function exists to do this, and nothing has been started yet"
            )]
            process::exit(EX_CONFIG);
        }
    }
}

/// Writes each text to its stream, from threads of their own, so that a full pipe delays neither the other stream nor the exit.
///
/// Errors are dropped: with the stream gone there is nobody left to tell.
fn write_within(patience: Duration, texts: Vec<(Box<dyn Write + Send>, String)>) {
    let (done, all_done) = mpsc::channel::<()>();
    for (mut stream, text) in texts {
        let done = done.clone();
        let write = move || {
            let _ = write_all(&mut *stream, text.as_bytes(), patience);
            drop(done);
        };
        // Without a thread to spare, silence would be worse than a wait; the closure is gone with the error, so say nothing more.
        let _ = thread::Builder::new().name("config-report".to_owned()).spawn(write);
    }
    drop(done);
    // Nothing is ever sent: the channel closes when the last writer is done.
    let _ = all_done.recv_timeout(patience);
}

/// As `Write::write_all`, but waits where the stream does not: somebody who shares a pipe with us may
/// have made it non-blocking.
fn write_all(stream: &mut dyn Write, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let result =
            if bytes.is_empty() { stream.flush().map(|()| 0) } else { stream.write(bytes) };
        match result {
            Ok(0) => return Ok(()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock && begun.elapsed() < patience =>
            {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
        }
    }
}

fn log_line(level: &str, message: &str, key: &str, problems: &[Problem]) -> String {
    let mut line = String::from("{");
    json::member(&mut line, "timestamp", &timestamp(SystemTime::now()));
    line.push(',');
    json::member(&mut line, "level", level);
    line.push(',');
    json::member(&mut line, "message", message);
    line.push(',');
    json::string(&mut line, key);
    line.push(':');
    line.push_str(&problems_to_json(problems));
    line.push_str("}\n");
    line
}

/// RFC 3339 in UTC, to the millisecond.
fn timestamp(now: SystemTime) -> String {
    // A clock before 1970 is a clock that is not set.
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The Gregorian date of a day counted from 1970-01-01.
fn civil_date(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    // Whole 400-year cycles first: they all have the same length.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_123, "2000-02-29T00:00:00.123Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_000, "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::from_millis(millis)), expected);
        }
    }
}
