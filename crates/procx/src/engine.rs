//! The one thread that starts processes, waits for them and ends them.
//!
//! It begins with the first child and never ends, so a child needs no runtime to be ended and reaped.

mod entry;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use self::entry::Entry;
use crate::{
    containment::Containment,
    limits::Limits,
    output::Exit,
    program::Image,
    sys::{Ends, Waker},
    tree::{Glance, Refusal, Tree},
};

/// How often, and from which pause on, a program is tried again that somebody still writes to.
const BUSY_TRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// What is to be started, and the rules for its end.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) image: Image,
    pub(crate) limits: Limits,
    pub(crate) minimum: Containment,
    pub(crate) deadline: Option<Instant>,
    pub(crate) grace: Duration,
    pub(crate) background: bool,
}

/// A child that was started. Dropping it kills the child with all that descends from it.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) handle: Handle,
    /// Comes when the leader has ended; the rest may still run.
    pub(crate) exited: oneshot::Receiver<()>,
    /// Comes when nothing is left.
    pub(crate) ended: oneshot::Receiver<Ended>,
}

/// Why nothing was started.
#[derive(Debug)]
pub(crate) enum Failure {
    Refused(Refusal),
    /// The deadline came first.
    TimedOut,
}

/// How all of it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How the leader did.
    pub(crate) exit: io::Result<Exit>,
    pub(crate) exited_at: Instant,
    /// It was ended because its time was over.
    pub(crate) timed_out: bool,
    pub(crate) leftovers_killed: u32,
    pub(crate) escaped: Vec<u32>,
}

/// The one who may still have something to say about a child.
#[derive(Debug)]
pub(crate) struct Handle {
    engine: Arc<Engine>,
    id: u64,
    pub(crate) tree: Arc<Tree>,
    over: bool,
}

impl Handle {
    /// Asks it to end: SIGTERM, the grace, SIGKILL.
    pub(crate) fn stop(&self) {
        self.engine.send(Message::Stop(self.id));
    }

    /// Nobody reads its output any more, so what it left behind need not wait.
    pub(crate) fn drained(&self) {
        self.engine.send(Message::Drained(self.id));
    }

    /// It has ended, and there is nothing left to kill.
    pub(crate) fn over(&mut self) {
        self.over = true;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.over {
            // Here, and not on the engine's thread: the process may be about to exit.
            self.tree.kill();
            self.engine.send(Message::Kill(self.id));
        }
    }
}

type Reply = oneshot::Sender<Result<Started, Failure>>;

#[derive(Debug)]
enum Message {
    Start(Box<Job>, Reply),
    Stop(u64),
    Drained(u64),
    Kill(u64),
}

#[derive(Debug)]
struct Engine {
    inbox: Mutex<Vec<Message>>,
    waker: Waker,
}

/// Starts a child; the answer comes from the engine's thread.
pub(crate) fn start(job: Job) -> io::Result<oneshot::Receiver<Result<Started, Failure>>> {
    let engine = Engine::running()?;
    let (reply, answer) = oneshot::channel();
    engine.send(Message::Start(Box::new(job), reply));
    Ok(answer)
}

impl Engine {
    fn running() -> io::Result<Arc<Engine>> {
        static ENGINE: Mutex<Option<Arc<Engine>>> = Mutex::new(None);
        let mut running = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*running {
            return Ok(Arc::clone(engine));
        }
        let (ends, waker) = Ends::new()?;
        let engine = Arc::new(Engine { inbox: Mutex::default(), waker });
        let floor = Floor {
            engine: Arc::clone(&engine),
            ends,
            entries: HashMap::new(),
            busy: Vec::new(),
            next: 0,
        };
        thread::Builder::new().name("procx".to_owned()).spawn(move || floor.run())?;
        Ok(Arc::clone(running.insert(engine)))
    }

    fn send(&self, message: Message) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        self.waker.wake();
    }
}

/// What only the thread of the engine touches.
struct Floor {
    engine: Arc<Engine>,
    ends: Ends,
    entries: HashMap<u64, Entry>,
    /// Programs that somebody still writes to, and when to try them again.
    busy: Vec<(Instant, u32, Box<Job>, Reply)>,
    next: u64,
}

impl Floor {
    fn run(mut self) {
        loop {
            let now = Instant::now();
            let entries = self.entries.values().filter_map(Entry::next_look);
            let next = entries.chain(self.busy.iter().map(|(at, ..)| *at)).min();
            let ended = self.ends.wait(next.map(|at| at.saturating_duration_since(now)));
            let now = Instant::now();
            // Taken after these ends, and good for all that is asked because of them.
            let mut glance = Glance::default();
            for id in ended {
                self.with(id, |entry| entry.exited(now, &mut glance));
            }
            self.messages(now, &mut glance);
            let (due, rest) =
                std::mem::take(&mut self.busy).into_iter().partition(|(at, ..)| *at <= now);
            self.busy = rest;
            for (_, tries, job, reply) in due {
                self.start(job, tries, reply);
            }
            for entry in self.entries.values_mut() {
                entry.look(now, &mut glance);
            }
            self.entries.retain(|_, entry| !entry.is_over());
        }
    }

    fn messages(&mut self, now: Instant, glance: &mut Glance) {
        let messages =
            std::mem::take(&mut *self.engine.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        for message in messages {
            match message {
                Message::Start(job, reply) => self.start(job, 0, reply),
                Message::Stop(id) => self.with(id, |entry| entry.stop(now, glance)),
                Message::Drained(id) => self.with(id, |entry| entry.drained(now, glance)),
                Message::Kill(id) => self.with(id, |entry| entry.kill(now)),
            }
        }
    }

    fn with(&mut self, id: u64, act: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            act(entry);
        }
    }

    fn start(&mut self, mut job: Box<Job>, tries: u32, reply: Reply) {
        // Whoever has asked may be gone.
        if reply.is_closed() {
            return;
        }
        let now = Instant::now();
        if job.deadline.is_some_and(|deadline| deadline <= now) {
            let _ = reply.send(Err(Failure::TimedOut));
            return;
        }
        let tree = match Tree::start(&mut job) {
            Ok(tree) => Arc::new(tree),
            Err(Refusal::Io(error))
                if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES =>
            {
                self.busy.push((now + BUSY_PAUSE * (1 << tries), tries + 1, job, reply));
                return;
            }
            Err(refusal) => {
                let _ = reply.send(Err(Failure::Refused(refusal)));
                return;
            }
        };
        let (send_exited, exited) = oneshot::channel();
        let (send_ended, ended) = oneshot::channel();
        self.next += 1;
        let id = self.next;
        let mut entry = Entry::new(Arc::clone(&tree), &job, send_exited, send_ended);
        // Our ends of its streams: from here on only the child holds them.
        drop(job);
        if self.ends.watch(tree.leader(), id).is_err() {
            // Its end will be looked for instead of told.
            entry.unwatched(now);
        }
        self.entries.insert(id, entry);
        let handle = Handle { engine: Arc::clone(&self.engine), id, tree, over: false };
        // If nobody takes it, dropping it kills the child.
        let _ = reply.send(Ok(Started { handle, exited, ended }));
    }
}
