//! Clients in Node.js: `crates/testkit/clients/*.cjs`.

use std::time::Duration;

use super::{Kind, Tally, Target};
use crate::{Child, Tool, workspace_root};

const LIFETIME: Duration = Duration::from_secs(3600);
/// How long it may take until each connection has been used.
const START: Duration = Duration::from_secs(30);

/// A script that runs until SIGTERM and then prints its counts.
#[derive(Debug)]
pub(crate) struct Script {
    name: &'static str,
    child: Child,
}

impl Script {
    /// Starts it and waits until each of its connections has been used.
    pub(crate) fn start(node: &Tool, file: &str, name: &'static str, target: &Target) -> Script {
        let mut command = node.command();
        command.arg(workspace_root().join("crates/testkit/clients").join(file));
        command.arg(format!("http://{}", target.address)).arg(&target.order);
        let child = Child::spawn(command, LIFETIME);
        child.wait_for_line_within("running", START);
        Script { name, child }
    }

    pub(crate) fn stop(self) -> Tally {
        self.child.terminate();
        let output = self.child.finish();
        let line = output.stdout.lines().last().unwrap_or_default();
        Tally::parse(self.name, line).unwrap_or_else(|| {
            let mut tally = Tally::new(self.name);
            let text = format!("{}: {}{}", output.status, output.stdout, output.stderr);
            tally.fail(Kind::Truncated, 1, format!("the client itself failed: {text}"));
            tally
        })
    }
}
