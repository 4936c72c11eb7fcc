//! What is told of a child.

#[cfg(feature = "tracing")]
pub(crate) use self::told::Trace;
#[cfg(not(feature = "tracing"))]
pub(crate) use self::untold::Trace;

#[cfg(feature = "tracing")]
mod told {
    use std::time::Instant;

    use tracing::{Level, Span, event, span};

    use crate::{cmd::Cmd, containment::Containment, engine::Ended};

    pub(crate) struct Trace(Span);

    impl Trace {
        pub(crate) fn begin(cmd: &Cmd, pid: u32, containment: Containment) -> Trace {
            let program = cmd.redactor.os(&cmd.program);
            let span =
                span!(target: "procx", Level::INFO, "procx.run", %program, pid, %containment);
            event!(target: "procx", parent: &span, Level::TRACE, command = %cmd, "child started");
            Trace(span)
        }

        pub(crate) fn end(&self, ended: &Ended, started: Instant) {
            let elapsed = ended.exited_at.saturating_duration_since(started).as_secs_f64();
            let exit = ended.exit.as_ref().map_or_else(ToString::to_string, ToString::to_string);
            let (timed_out, leftovers) = (ended.timed_out, ended.leftovers_killed);
            let escaped = ended.left.as_ref().map_or(-1, |left| left.len().cast_signed());
            if timed_out || leftovers > 0 || escaped != 0 {
                event!(target: "procx", parent: &self.0, Level::WARN, exit, elapsed, timed_out, leftovers, escaped, "child had to be ended");
            } else {
                event!(target: "procx", parent: &self.0, Level::DEBUG, exit, elapsed, "child ended");
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod untold {
    use std::time::Instant;

    use crate::{cmd::Cmd, containment::Containment, engine::Ended};

    pub(crate) struct Trace;

    impl Trace {
        pub(crate) fn begin(_: &Cmd, _: u32, _: Containment) -> Trace {
            Trace
        }

        #[expect(clippy::unused_self, reason = "with the feature there is something to tell")]
        pub(crate) fn end(&self, _: &Ended, _: Instant) {}
    }
}
