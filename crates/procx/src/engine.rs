//! The thread that waits for processes and ends them, and has another one start them.
//!
//! Both begin with the first child and never end, so a child needs no runtime to be ended and reaped.

mod entry;
mod starter;

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use self::{
    entry::Entry,
    starter::{Order, Orders, Turn},
};
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
/// A start that has begun may go on for this long after its deadline: only a program that cannot be read takes longer.
const LONGEST_START: Duration = Duration::from_secs(2);

/// What is to be started, and the rules for its end.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) image: Image,
    pub(crate) limits: Limits,
    pub(crate) minimum: Containment,
    pub(crate) rules: Rules,
}

/// How a child is to be ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
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
    /// What could not be killed, or why nobody can tell.
    pub(crate) left: io::Result<Vec<u32>>,
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
    Starting(u64, Starting),
    Started(u64, Result<Tree, (Refusal, Box<Job>)>),
    Stop(u64),
    Drained(u64),
    Kill(u64),
}

#[derive(Debug)]
struct Engine {
    inbox: Mutex<Vec<Message>>,
    waker: Waker,
    orders: Orders,
    next: AtomicU64,
}

/// Starts a child; the answer comes from the engine's thread.
pub(crate) fn start(job: Job) -> io::Result<oneshot::Receiver<Result<Started, Failure>>> {
    let engine = Engine::running()?;
    let (reply, answer) = oneshot::channel();
    let Job { rules, .. } = job;
    if rules.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        let _ = reply.send(Err(Failure::TimedOut));
        return Ok(answer);
    }
    let (id, turn) = (engine.next.fetch_add(1, Ordering::Relaxed), Turn::default());
    // The engine hears of it first, and watches its time while it is started.
    let (turn_here, give_up_at) = (turn.clone(), rules.deadline);
    let starting = Starting { rules, reply, turn: turn_here, tries: 0, again: None, give_up_at };
    engine.send(Message::Starting(id, starting));
    engine.order(Order { id, job: Box::new(job), turn });
    Ok(answer)
}

impl Engine {
    fn running() -> io::Result<Arc<Engine>> {
        static ENGINE: Mutex<Option<Arc<Engine>>> = Mutex::new(None);
        let mut running = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*running {
            return Ok(Arc::clone(engine));
        }
        let ((ends, waker), (orders, receiver)) = (Ends::new()?, channel());
        let (inbox, next) = (Mutex::default(), AtomicU64::new(0));
        let engine = Arc::new(Engine { inbox, waker, orders, next });
        starter::begin(receiver, Arc::clone(&engine))?;
        let floor = Floor {
            engine: Arc::clone(&engine),
            ends,
            starting: HashMap::new(),
            entries: HashMap::new(),
        };
        thread::Builder::new().name("procx".to_owned()).spawn(move || floor.run())?;
        Ok(Arc::clone(running.insert(engine)))
    }

    fn send(&self, message: Message) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        self.waker.wake();
    }

    fn order(&self, order: Order) {
        // Its thread never ends.
        let _ = self.orders.send(order);
    }
}

/// What only the thread of the engine touches.
struct Floor {
    engine: Arc<Engine>,
    ends: Ends,
    starting: HashMap<u64, Starting>,
    entries: HashMap<u64, Entry>,
}

/// A child that is to be.
#[derive(Debug)]
struct Starting {
    rules: Rules,
    reply: Reply,
    turn: Turn,
    tries: u32,
    /// When to try it again, if somebody still writes to the program.
    again: Option<(Instant, Box<Job>)>,
    give_up_at: Option<Instant>,
}

impl Starting {
    fn next_look(&self) -> Option<Instant> {
        self.again.iter().map(|(at, _)| *at).chain(self.give_up_at).min()
    }

    /// Says whether it is given up: nobody waits for it any more, or its time is over.
    fn is_given_up(&mut self, now: Instant) -> bool {
        if self.reply.is_closed() && self.turn.take() {
            return true;
        }
        let Some(late) = self.give_up_at.filter(|at| *at <= now) else { return false };
        let is_overdue = self.rules.deadline.is_some_and(|deadline| deadline < late);
        if is_overdue || self.turn.take() {
            return true;
        }
        // It is being started, and better ended in its order than left to itself.
        self.give_up_at = Some(late + LONGEST_START);
        false
    }
}

impl Floor {
    fn run(mut self) {
        loop {
            let now = Instant::now();
            let entries = self.entries.values().filter_map(Entry::next_look);
            let next = entries.chain(self.starting.values().filter_map(Starting::next_look)).min();
            let ended = self.ends.wait(next.map(|at| at.saturating_duration_since(now)));
            let now = Instant::now();
            // Taken after these ends, and good for all that is asked because of them.
            let mut glance = Glance::default();
            for id in ended {
                self.with(id, |entry| entry.exited(now, &mut glance));
            }
            self.messages(now, &mut glance);
            self.look_at_starting(now);
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
                Message::Starting(id, starting) => drop(self.starting.insert(id, starting)),
                Message::Started(id, Ok(tree)) => self.started(id, tree, now),
                Message::Started(id, Err((refusal, job))) => self.refused(id, refusal, job, now),
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

    fn look_at_starting(&mut self, now: Instant) {
        for (_, late) in self.starting.extract_if(|_, starting| starting.is_given_up(now)) {
            let _ = late.reply.send(Err(Failure::TimedOut));
        }
        for (id, starting) in &mut self.starting {
            if let Some((_, job)) = starting.again.take_if(|(at, _)| *at <= now) {
                self.engine.order(Order { id: *id, job, turn: starting.turn.clone() });
            }
        }
    }

    fn refused(&mut self, id: u64, refusal: Refusal, job: Box<Job>, now: Instant) {
        let Some(mut starting) = self.starting.remove(&id) else { return };
        match refusal {
            Refusal::Io(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && starting.tries < BUSY_TRIES =>
            {
                starting.again = Some((now + BUSY_PAUSE * (1 << starting.tries), job));
                starting.tries += 1;
                starting.turn = Turn::default();
                self.starting.insert(id, starting);
            }
            refusal => drop(starting.reply.send(Err(Failure::Refused(refusal)))),
        }
    }

    fn started(&mut self, id: u64, tree: Tree, now: Instant) {
        let tree = Arc::new(tree);
        let starting = self.starting.remove(&id);
        let rules = starting.as_ref().map_or_else(Rules::default, |starting| starting.rules);
        let (send_exited, exited) = oneshot::channel();
        let (send_ended, ended) = oneshot::channel();
        let entry = Entry::new(Arc::clone(&tree), rules, send_exited, send_ended);
        let entry = self.entries.entry(id).insert_entry(entry).into_mut();
        match (self.ends.watch(tree.leader(), id), starting) {
            (Ok(()), Some(starting)) => {
                let handle = Handle { engine: Arc::clone(&self.engine), id, tree, over: false };
                // If nobody takes it, dropping it kills the child.
                let _ = starting.reply.send(Ok(Started { handle, exited, ended }));
            }
            // Nobody waits for it any more.
            (Ok(()), None) => entry.kill(now),
            // Nobody would be told of its end.
            (Err(error), starting) => {
                entry.kill(now);
                if let Some(starting) = starting {
                    let _ = starting.reply.send(Err(Failure::Refused(error.into())));
                }
            }
        }
    }
}
