//! Making and dropping an error beside anyhow, a boxed error and a thiserror enum.
//!
//! A `Fault` has a kind, a code and a location where the others have a message; the tables say what that costs.

use std::{
    env,
    error::Error,
    hint::black_box,
    io,
    process::{Command, ExitCode},
    time::Duration,
};

use measure::{Contender, Counting, print, run};
use underpin_fault::{Classify, Fault, Kind};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCHES: usize = 101;
const BATCH: Duration = Duration::from_millis(4);

/// One error type for all: what thiserror makes is classified as well.
#[derive(Debug, thiserror::Error, Classify)]
enum OrderError {
    #[error("order {0} does not exist")]
    #[fault(kind = NotFound, code = "order.missing")]
    Missing(u64),
}

fn main() -> io::Result<ExitCode> {
    // anyhow captures a backtrace where the environment asks for one, which would be all that is measured.
    let wants_backtraces =
        ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"].iter().any(|name| env::var_os(name).is_some());
    if wants_backtraces {
        let mut again = Command::new(env::current_exe()?);
        let status =
            again.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE").status()?;
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    alone();
    with_a_cause();
    with_context();
    through_question_mark();
    sizes();
    Ok(ExitCode::SUCCESS)
}

fn alone() {
    let figures = run(
        vec![
            Contender::new("Fault::new(kind, code)", || {
                Fault::new(black_box(Kind::NotFound), "order.missing")
            }),
            Contender::new("anyhow!(static)", || anyhow::anyhow!("order.missing")),
            Contender::new("Box<dyn Error>::from(static)", || {
                Box::<dyn Error + Send + Sync>::from("order.missing")
            }),
            Contender::new("thiserror enum, on the stack", || OrderError::Missing(black_box(7))),
        ],
        BATCHES,
        BATCH,
    );
    print("made and dropped", &figures);
}

fn with_a_cause() {
    let cause = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let figures = run(
        vec![
            Contender::new("Fault::new(kind, code).caused_by(e)", || {
                Fault::new(black_box(Kind::Unavailable), "db.down").caused_by(cause())
            }),
            Contender::new("anyhow::Error::new(e)", || anyhow::Error::new(black_box(cause()))),
            Contender::new("anyhow::Error::new(e).context(s)", || {
                anyhow::Error::new(black_box(cause())).context("db.down")
            }),
            Contender::new("Box<dyn Error>::from(e)", || {
                Box::<dyn Error + Send + Sync>::from(black_box(cause()))
            }),
        ],
        BATCHES,
        BATCH,
    );
    print("with a cause", &figures);
}

fn with_context() {
    let figures = run(
        vec![
            Contender::new("Fault ... .with(\"order\", id)", || {
                Fault::new(black_box(Kind::NotFound), "order.missing")
                    .with("order", black_box(7_u64))
            }),
            Contender::new("anyhow!(static).context(format!)", || {
                anyhow::anyhow!("order.missing").context(format!("order {}", black_box(7_u64)))
            }),
            Contender::new("Box<dyn Error>::from(format!)", || {
                Box::<dyn Error + Send + Sync>::from(format!("order {}", black_box(7_u64)))
            }),
        ],
        BATCHES,
        BATCH,
    );
    print("with one number of context", &figures);
}

fn through_question_mark() {
    fn fails(id: u64) -> Result<(), OrderError> {
        Err(OrderError::Missing(id))
    }
    fn fault(id: u64) -> Result<(), Fault> {
        Ok(fails(id)?)
    }
    fn any(id: u64) -> Result<(), anyhow::Error> {
        Ok(fails(id)?)
    }
    fn boxed(id: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(fails(id)?)
    }
    let figures = run(
        vec![
            Contender::new("derive(Classify), ? into Fault", || fault(black_box(7))),
            Contender::new("thiserror, ? into anyhow::Error", || any(black_box(7))),
            Contender::new("thiserror, ? into Box<dyn Error>", || boxed(black_box(7))),
        ],
        BATCHES,
        BATCH,
    );
    print("an enum through ?", &figures);
}

fn sizes() {
    println!("\nsize of Result<(), E>\n");
    println!("{:<34} {:>6} bytes", "Fault", size_of::<Result<(), Fault>>());
    println!("{:<34} {:>6} bytes", "anyhow::Error", size_of::<Result<(), anyhow::Error>>());
    println!(
        "{:<34} {:>6} bytes",
        "Box<dyn Error + Send + Sync>",
        size_of::<Result<(), Box<dyn Error + Send + Sync>>>()
    );
    println!("{:<34} {:>6} bytes", "OrderError", size_of::<Result<(), OrderError>>());
}
