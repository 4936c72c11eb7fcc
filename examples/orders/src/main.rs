//! The order service: what a user of these crates runs first and copies from.
//!
//! It loads its configuration with `underpin-config`, answers errors through `underpin-fault` and probes through
//! `underpin-health`, repeats what must be repeated with `underpin-periodic`, keeps files with `underpin-fsx`, runs programs through
//! `underpin-procx`, and stops by `underpin-shutdown`.

mod activity;
mod api;
mod changes;
mod demo;
mod desk;
mod listener;
mod live;
mod order;
mod payment;
mod random;
mod rate;
mod routes;
mod settings;
mod store;
mod upkeep;

use std::{
    error::Error,
    io::{self, Write as _},
    process::{ExitCode, Termination as _},
};

use underpin_config::Config as _;
use underpin_fault::PanicHook;
use underpin_shutdown::App;

use crate::{listener::Inherited, payment::stub, settings::Settings};

const USAGE: &str = "\
usage: orders [api]                     serve HTTP
       orders payment-stub [--port N]   be a payment provider that can misbehave
       orders demo [ROUNDS]             replace two processes under load, so many times each";

fn main() -> ExitCode {
    // First of all: from here on no signal is lost.
    let app = App::new("orders");
    let inherited = Inherited::take();
    let arguments = std::env::args_os().skip(1).map(|argument| argument.display().to_string());
    let arguments: Vec<String> = arguments.collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["api"] => api(app, inherited),
        ["payment-stub"] => payment_stub(app, 0),
        ["payment-stub", "--port", port] => match port.parse() {
            Ok(port) => payment_stub(app, port),
            Err(_) => fail(2, &format!("{port:?} is no port\n{USAGE}")),
        },
        ["demo"] => demo::main(app, demo::ROUNDS),
        ["demo", rounds] => match rounds.parse() {
            Ok(rounds @ 1..=1000) => demo::main(app, rounds),
            _ => fail(2, &format!("{rounds:?} is no number of rounds from 1 to 1000\n{USAGE}")),
        },
        _ => {
            fail(2, &format!("orders does not know what {:?} means\n{USAGE}", arguments.join(" ")))
        }
    }
}

fn api(app: App, inherited: Inherited) -> ExitCode {
    let settings = Settings::load_or_exit();
    if let Err(error) = PanicHook::new().install() {
        return fail(1, &format!("orders cannot report panics: {error}"));
    }
    let plan = api::plan(&settings);
    app.plan(plan).run(|shutdown| api::serve(settings, inherited, shutdown)).report()
}

fn payment_stub(app: App, port: u16) -> ExitCode {
    app.run(|shutdown| stub::main(port, shutdown)).report()
}

fn fail(code: u8, message: &str) -> ExitCode {
    tell(message);
    ExitCode::from(code)
}

/// What has gone wrong, and why, on one line.
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Writes a line for the person at the terminal; nobody there is no error.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
