//! The thread that starts children, one after the other.
//!
//! It is not that of the engine, because a start takes as long as the file system does: a program on a server that does not answer must not keep others from being ended.
//! The kernel ends a child together with the thread that has started it, so this one never ends.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use super::{Engine, Job, Message};
use crate::tree::Tree;

/// The way to that thread.
#[derive(Debug)]
pub(super) struct Starter(Sender<Order>);

#[derive(Debug)]
struct Order {
    id: u64,
    job: Box<Job>,
    turn: Turn,
}

/// Taken once: by the thread that starts it, or by whoever gives it up before.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<AtomicBool>);

impl Turn {
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl Starter {
    pub(super) fn begin(engine: Arc<Engine>) -> io::Result<Starter> {
        let (sender, orders) = channel();
        let thread = thread::Builder::new().name("procx-start".to_owned());
        thread.spawn(move || start(&orders, &engine))?;
        Ok(Starter(sender))
    }

    /// Has it started, unless its turn is taken before. The engine is told.
    pub(super) fn start(&self, id: u64, job: Box<Job>, turn: &Turn) {
        // Its thread lives as long as this one.
        let _ = self.0.send(Order { id, job, turn: turn.clone() });
    }
}

fn start(orders: &Receiver<Order>, engine: &Engine) {
    for Order { id, mut job, turn } in orders {
        if !turn.take() {
            continue;
        }
        // With the job, our ends of its streams are dropped: from then on only the child holds them.
        let started = match Tree::start(&mut job) {
            Ok(tree) => Ok(tree),
            Err(refusal) => Err((refusal, job)),
        };
        engine.send(Message::Started(id, started));
    }
}
