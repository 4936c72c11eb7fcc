//! Whether what came of a call is what may come of it.

use crate::resilience::httpx::{
    faults::{
        ATTEMPT_TIMEOUT, ATTEMPTS, DELAY, HELLO,
        call::{Call, Got, Payload},
        desk::Met,
        fault::{Class, Fault},
    },
    h2::Deed,
    server::Seen,
};

pub(super) struct Judge<'a> {
    pub(super) call: &'a Call,
    pub(super) got: &'a Got,
    pub(super) met: &'a [Met],
    pub(super) complete: &'a [(Fault, Option<Seen>)],
}

impl Judge<'_> {
    /// A goodbye may overtake the end of sending, and then nobody knows.
    pub(super) fn is_raced(&self, fault: Fault) -> bool {
        self.call.payload == Payload::None
            && matches!(fault, Fault::Frames(Deed::GoAwayAnswered | Deed::GoAwayDropped(_)))
    }

    pub(super) fn class(&self, nth: usize) -> Class {
        match self.met[nth].fault {
            // The attempt before may still be under way there.
            Fault::Answer(409, _) if self.call.has_key && nth > 0 => Class::Unknown,
            // It may have left, and be whole.
            Fault::Frames(Deed::GoAwayBelow | Deed::GoAwayBelowOpen)
                if self.call.payload == Payload::None =>
            {
                Class::Either
            }
            fault => fault.class(self.call.terminal),
        }
    }

    /// An attempt may have ended by its time, whatever was in its way.
    pub(super) fn is_slow(&self) -> bool {
        self.got.elapsed >= ATTEMPT_TIMEOUT.min(self.call.deadline)
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        let Judge { call, got, met, .. } = self;
        let (mut complaints, repeatable) = (Vec::new(), call.is_repeatable());
        let mut complain = |text: String| complaints.push(text);
        // What it says is what happened.
        if let Some(attempts) = got.attempts
            && attempts as usize != met.len()
            && !self.is_slow()
        {
            complain(format!("{attempts} attempts reported, {} met", met.len()));
        }
        if let Ok(body) = &got.outcome
            && body != HELLO.as_bytes()
        {
            complain("not the body".to_owned());
        }
        if self.doubled() > 1 {
            complain("DOUBLED".to_owned());
        }
        for (_, seen) in self.complete {
            let Some(seen) = seen else { continue };
            let first = self.complete[0].1.as_ref().and_then(Seen::key);
            if seen.body().as_deref() != Some(call.body())
                || seen.key() != first
                || call.has_key != first.is_some()
            {
                complain(format!("another body or key: {seen:?}"));
            }
        }
        let Some((last, retried)) = met.split_last() else {
            if !self.is_slow() {
                complain("nothing was tried".to_owned());
            }
            return complaints;
        };
        for (nth, met) in retried.iter().enumerate() {
            if !self.class(nth).may_be_retried(repeatable)
                && !((self.is_slow() || self.is_raced(met.fault)) && repeatable)
            {
                complain(format!("retried after {met:?}"));
            }
        }
        let class = self.class(retried.len());
        if got.status == Some(200) && got.outcome.is_ok() && class != Class::Success {
            complain(format!("a success after {last:?}"));
        }
        if class == Class::Success
            && got.outcome.is_err()
            && !self.is_slow()
            && !self.is_raced(last.fault)
        {
            complain("a failure after a success".to_owned());
        }
        let has_time = got.elapsed + 10 * DELAY < call.deadline;
        // Cut short by its time, nobody knows what it was.
        let is_known = repeatable || !self.is_slow();
        // Without a connection, nobody has asked for a body that can be sent once.
        let has_body =
            call.payload != Payload::Once || matches!(last.fault, Fault::NoName | Fault::Refused);
        if class.must_be_retried(repeatable)
            && is_known
            && met.len() < ATTEMPTS
            && has_body
            && has_time
        {
            complain(format!("not retried after {last:?}"));
        }
        complaints
    }

    /// How often it may have been processed, if that may be once at most.
    pub(super) fn doubled(&self) -> usize {
        if self.call.is_repeatable() {
            return 0;
        }
        self.complete
            .iter()
            .filter(|(fault, _)| fault.class(self.call.terminal).may_be_processed())
            .count()
    }

    /// In a row, where that can be known.
    pub(super) fn failures(&self, before: u64) -> Option<u64> {
        if self.is_slow() || self.met.iter().any(|met| self.is_raced(met.fault)) {
            return None;
        }
        self.met.iter().try_fold(before, |failures, met| {
            match met.fault.is_failure(self.call.terminal) {
                Some(true) => Some(failures + 1),
                Some(false) => Some(0),
                None => None,
            }
        })
    }
}
