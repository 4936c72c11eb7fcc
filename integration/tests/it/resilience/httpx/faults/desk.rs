//! Where faults wait for attempts, and the servers that bring them together.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::resilience::httpx::{
    faults::{call::Call, fault::Fault},
    h2,
    server::{self, Seen},
};

/// Where the faults of a call lie ready, and which of them were met.
#[derive(Default)]
pub(super) struct Desk(Mutex<Faults>);

#[derive(Default)]
pub(super) struct Faults {
    pub(super) ready: VecDeque<Fault>,
    /// The first of the call after this one.
    pub(super) then: Option<Fault>,
    pub(super) met: Vec<Met>,
    /// How often a connection was used, or made, where the other was meant.
    pub(super) disturbed: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub(super) fault: Fault,
    /// The number of the request at the server, if it came so far.
    pub(super) order: Option<usize>,
}

impl Desk {
    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lay(&self, call: &Call, then: Option<&Call>) {
        let mut faults = self.faults();
        faults.ready = call.faults.into();
        faults.then = then.map(|call| call.faults[0]);
        faults.met.clear();
    }

    /// Somebody connects.
    pub(super) fn connecting(&self) -> Option<Fault> {
        let mut faults = self.faults();
        let fault = faults.ready.front().copied().filter(|fault| fault.is_of_connecting())?;
        faults.ready.pop_front();
        faults.met.push(Met { fault, order: None });
        Some(fault)
    }

    /// A request has come; whether the next one needs a new connection.
    pub(super) fn requested(&self, order: usize) -> (Fault, bool) {
        let mut faults = self.faults();
        let mut fault = faults.ready.pop_front().unwrap_or(Fault::Answer(200, None));
        if fault.is_of_connecting() {
            fault = Fault::Answer(200, None);
            faults.disturbed += 1;
        }
        faults.met.push(Met { fault, order: Some(order) });
        let next = [faults.ready.front().copied(), faults.then];
        (fault, next.into_iter().flatten().any(Fault::is_of_connecting))
    }
}

/// Where calls go to: another server after each call that may have left something behind, on the way or at the old one.
#[derive(Default)]
pub(super) struct Place(Mutex<Option<(u32, SocketAddr, Arc<Desk>)>>);

impl Place {
    pub(super) fn now(&self) -> MutexGuard<'_, Option<(u32, SocketAddr, Arc<Desk>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host has the number of its server, and so connections of its own.
    pub(super) fn host(epoch: u32) -> String {
        format!("host-{epoch}.test")
    }
}

/// A name leads to the server, or to nowhere.
pub(super) struct Names {
    pub(super) place: Arc<Place>,
    pub(super) dead: SocketAddr,
    pub(super) slamming: SocketAddr,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let address = match &*self.place.now() {
            Some((epoch, server, desk)) if name.as_str() == Place::host(*epoch) => {
                match desk.connecting() {
                    None => Ok(*server),
                    Some(Fault::Refused) => Ok(self.dead),
                    Some(Fault::Slammed) => Ok(self.slamming),
                    Some(_) => Err(io::Error::other("no such name")),
                }
            }
            // Somebody who was given up still connects.
            _ => Ok(self.dead),
        };
        Box::pin(async move { Ok(Box::new([address?].into_iter()) as Addrs) })
    }
}

pub(super) enum Wire {
    One(server::Server),
    Two(h2::Server),
}

impl Wire {
    pub(super) async fn start(desk: Arc<Desk>, is_h2: bool) -> (Wire, SocketAddr) {
        if is_h2 {
            let server = h2::Server::start(move |order| desk.requested(order).0.deed()).await;
            let address = server.address();
            return (Wire::Two(server), address);
        }
        let server = server::Server::start(move |turn| {
            let (fault, is_last) = desk.requested(turn.order);
            fault.steps(is_last)
        })
        .await;
        let address = server.address();
        (Wire::One(server), address)
    }

    /// Those of the met requests of which all has come, and the fault of each.
    pub(super) fn complete(&self, met: &[Met]) -> Vec<(Fault, Option<Seen>)> {
        match self {
            Wire::One(server) => {
                let seen = server.seen();
                met.iter()
                    .filter_map(|met| Some((met.fault, seen.get(met.order?)?.clone())))
                    .filter(|(_, seen)| seen.is_complete())
                    .map(|(fault, seen)| (fault, Some(seen)))
                    .collect()
            }
            Wire::Two(server) => {
                let seen = server.streams();
                met.iter()
                    .filter(|met| {
                        met.order.is_some_and(|order| {
                            seen.get(order).is_some_and(|seen| seen.is_complete)
                        })
                    })
                    .map(|met| (met.fault, None))
                    .collect()
            }
        }
    }
}
