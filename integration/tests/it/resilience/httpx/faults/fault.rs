//! What gets in the way of an attempt, and what may be concluded from it.

use std::time::Duration;

use crate::resilience::httpx::{
    Random, answer,
    faults::{HELLO, call::Terminal},
    h2::{self, Deed},
    server::Step,
};

/// In the way of one attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    /// The name is not known.
    NoName,
    /// Nobody listens.
    Refused,
    /// The connection is reset as soon as it is there.
    Slammed,
    CutRequest(usize, Cut),
    CutResponse(usize, Cut),
    Answer(u16, Option<&'static str>),
    Hang,
    Trickle,
    /// What only HTTP/2 has.
    Frames(Deed),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cut {
    Fin,
    Reset,
}

/// What a client can know of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Class {
    Success,
    NotSent,
    /// For now, and the time that it named is over.
    Refused,
    /// For longer than there is time.
    Paused,
    Unknown,
    /// Not sent, or nobody knows: the client cannot always tell.
    Either,
    /// The head of an answer may have come.
    Broken,
    Final,
}

pub(super) const HOUR: &str = "3600";

impl Fault {
    pub(super) fn random(random: &mut Random, is_h2: bool) -> Fault {
        let cut = random.pick(&[Cut::Fin, Cut::Reset]);
        let at = random.below(200);
        match random.below(if is_h2 { 26 } else { 20 }) {
            0..=4 => Fault::Answer(200, None),
            5 => Fault::NoName,
            6 => Fault::Refused,
            7 => Fault::Slammed,
            8..=9 if !is_h2 => Fault::CutRequest(at, cut),
            10..=11 if !is_h2 => Fault::CutResponse(at, cut),
            12..=13 if !is_h2 => {
                let after =
                    random.pick(&["0", "-1", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", HOUR]);
                Fault::Answer(random.pick(&[429, 503]), Some(after))
            }
            14 if random.below(2) == 0 => Fault::Hang,
            15 if !is_h2 && random.below(2) == 0 => Fault::Trickle,
            16 => Fault::Answer(random.pick(&[400, 404, 409, 422, 501]), None),
            8..=17 => Fault::Answer(random.pick(&[408, 500, 502, 503, 504]), None),
            18..=19 => Fault::Answer(random.pick(&[425, 429]), None),
            _ => Fault::Frames(random.pick(&[
                Deed::Refuse,
                Deed::GoAwayBelow,
                Deed::GoAwayBelowOpen,
                Deed::GoAwayDropped(0),
                Deed::GoAwayDropped(h2::INTERNAL_ERROR),
                Deed::GoAwayAnswered,
                Deed::Reset(h2::INTERNAL_ERROR),
                Deed::Reset(h2::CANCEL),
                Deed::ResetInBody(h2::INTERNAL_ERROR),
                Deed::ResetInBody(h2::REFUSED_STREAM),
                Deed::ResetInBody(h2::CANCEL),
                Deed::ResetInBody(0),
                Deed::Close,
            ])),
        }
    }

    /// It happens before there is a request.
    pub(super) fn is_of_connecting(self) -> bool {
        matches!(self, Fault::NoName | Fault::Refused | Fault::Slammed)
    }

    pub(super) fn class(self, terminal: Terminal) -> Class {
        let broken = if terminal == Terminal::Send { Class::Broken } else { Class::Unknown };
        match self {
            Fault::NoName | Fault::Refused | Fault::Answer(425, _) => Class::NotSent,
            Fault::Slammed => Class::Either,
            Fault::CutResponse(..) | Fault::Trickle => broken,
            Fault::Answer(429 | 503, Some(HOUR)) => Class::Paused,
            Fault::CutRequest(..) | Fault::Hang | Fault::Answer(503, Some("soon")) => {
                Class::Unknown
            }
            Fault::Answer(429 | 503, Some(_)) | Fault::Answer(429, None) => Class::Refused,
            Fault::Answer(408 | 500 | 502 | 503 | 504, _) => Class::Unknown,
            Fault::Answer(..400, _) => Class::Success,
            Fault::Answer(..) => Class::Final,
            Fault::Frames(deed) => match deed {
                Deed::Refuse | Deed::GoAwayBelow | Deed::GoAwayBelowOpen => Class::NotSent,
                Deed::GoAwayAnswered => Class::Success,
                Deed::ResetInBody(_) => broken,
                _ => Class::Unknown,
            },
        }
    }

    /// What the breaker has to be told: it failed, it was well, or it has no say.
    pub(super) fn is_failure(self, terminal: Terminal) -> Option<bool> {
        match self {
            Fault::Answer(status, _) => Some(status >= 500 || status == 408),
            Fault::Frames(Deed::Refuse | Deed::GoAwayBelow | Deed::GoAwayBelowOpen)
            | Fault::Slammed => None,
            _ => Some(self.class(terminal) != Class::Success),
        }
    }

    pub(super) fn steps(self, is_last: bool) -> Vec<Step> {
        let close = if is_last { "connection: close\r\n" } else { "" };
        let whole = answer(200, close, HELLO);
        let end = |cut| match cut {
            Cut::Fin => Step::Fin,
            Cut::Reset => Step::Reset,
        };
        match self {
            Fault::CutRequest(at, cut) => vec![Step::Read(at), end(cut)],
            Fault::CutResponse(at, cut) => {
                let at = at % whole.len();
                vec![Step::READ, Step::send(&whole[..at]), end(cut)]
            }
            Fault::Answer(status, after) => {
                let after =
                    after.map_or(String::new(), |after| format!("retry-after: {after}\r\n"));
                vec![Step::READ, Step::Send(answer(status, &format!("{close}{after}"), HELLO))]
            }
            Fault::Trickle => vec![Step::READ, Step::Trickle(whole, Duration::from_millis(5))],
            _ => vec![Step::READ, Step::Hang],
        }
    }

    pub(super) fn deed(self) -> Deed {
        match self {
            Fault::Frames(deed) => deed,
            Fault::Answer(status, _) => Deed::Answer(status),
            _ => Deed::Hang,
        }
    }
}

impl Class {
    pub(super) fn may_be_retried(self, is_repeatable: bool) -> bool {
        match self {
            Class::NotSent | Class::Refused | Class::Either => true,
            Class::Unknown | Class::Broken => is_repeatable,
            Class::Success | Class::Final | Class::Paused => false,
        }
    }

    pub(super) fn must_be_retried(self, is_repeatable: bool) -> bool {
        match self {
            Class::NotSent | Class::Refused => true,
            Class::Unknown | Class::Either => is_repeatable,
            Class::Success | Class::Final | Class::Paused | Class::Broken => false,
        }
    }

    /// The server that has all of the request may have acted on it.
    pub(super) fn may_be_processed(self) -> bool {
        !matches!(self, Class::NotSent | Class::Refused | Class::Paused)
    }
}
