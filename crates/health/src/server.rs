//! A listener on threads of its own, which answers while the runtime does not.

mod connection;
mod crowd;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{health::Health, server::crowd::Crowd};

/// The most connections at a time. One more, and the oldest is closed: a probe is done in a millisecond, so the oldest is
/// the one that dawdles.
const MAX_CONNECTIONS: usize = 32;
/// A connection needs little: a 4 KiB buffer and the answer.
const STACK: usize = 256 * 1024;
/// After a refused `accept`, for want of file descriptors mostly.
const BACKOFF: Duration = Duration::from_millis(20);

/// Answers the six paths over HTTP/1.1 from threads of its own, one that listens and one a connection.
///
/// # Errors
///
/// Fails if the address cannot be listened on, or no thread can be had.
pub fn serve(health: Health, addr: SocketAddr) -> io::Result<Server> {
    let listener = TcpListener::bind(addr)?;
    let addr = listener.local_addr()?;
    let stopping = Arc::new(AtomicBool::new(false));
    let accept = {
        let stopping = Arc::clone(&stopping);
        move || accept(&listener, &health, &stopping)
    };
    let thread =
        thread::Builder::new().name("health".to_owned()).stack_size(STACK).spawn(accept)?;
    Ok(Server { addr, stopping, thread: Some(thread) })
}

/// A listener that runs until this is dropped.
#[must_use = "dropping it stops the listener"]
pub struct Server {
    addr: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Where it listens; the port is the real one where 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the listener and every connection, and waits for their threads. So does dropping it.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        // Only a connection wakes `accept`. Where none can be made, the thread ends with the process.
        for _ in 0..10 {
            let woken =
                TcpStream::connect_timeout(&reachable(self.addr), Duration::from_millis(100));
            if woken.is_ok() || thread.is_finished() {
                let _ = thread.join();
                return;
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}

fn accept(listener: &TcpListener, health: &Health, stopping: &AtomicBool) {
    let crowd = Arc::new(Crowd::new(MAX_CONNECTIONS));
    while !stopping.load(Ordering::Acquire) {
        match listener.accept() {
            Ok(_) if stopping.load(Ordering::Acquire) => break,
            Ok((stream, _)) => {
                let stream = Arc::new(stream);
                let place = crowd.enter(&stream);
                let (own_health, own_stream) = (health.clone(), Arc::clone(&stream));
                let answer = move || {
                    connection::answer(&own_stream, &own_health);
                    drop(place);
                };
                let builder = thread::Builder::new().name("health-probe".to_owned());
                if builder.stack_size(STACK).spawn(answer).is_err() {
                    // No thread to be had: the probe is still answered, one at a time.
                    connection::answer(&stream, health);
                }
            }
            Err(_) => thread::sleep(BACKOFF),
        }
    }
    crowd.disperse();
}

/// An address that reaches a listener which may listen on all of them.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}
