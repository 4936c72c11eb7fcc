//! The thread that starts children, one after the other.
//!
//! It is not that of the engine, because a start takes as long as the file system does: a program on a server that does not answer must not keep others from being ended.
//! The kernel ends a child together with the thread that has started it, so this one never ends.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
    thread,
};

use super::{Engine, Job, Message};
use crate::tree::Tree;

/// The way to that thread.
pub(super) type Orders = Sender<Order>;

/// One child to be started, unless its turn is taken before. The engine is told what comes of it.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) job: Box<Job>,
    pub(super) turn: Turn,
}

/// Taken once: by the thread that starts it, or by whoever gives it up before.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<AtomicBool>);

impl Turn {
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

pub(super) fn begin(orders: Receiver<Order>, engine: Arc<Engine>) -> io::Result<()> {
    let thread = thread::Builder::new().name("procx-start".to_owned());
    thread.spawn(move || start(&orders, &engine))?;
    Ok(())
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
