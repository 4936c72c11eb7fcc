//! The socket that is served: handed over, or bound here.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use tokio::net::TcpListener;

use crate::settings::{Environment, Settings};

/// Sockets that the parent has handed over, by systemd's convention `LISTEN_FDS`.
///
/// A process that is replaced by another one on the same socket refuses nobody: what connects meanwhile waits in the socket's queue.
pub(crate) struct Inherited(ListenFd);

impl Inherited {
    /// Takes the variables out of the environment, so that no child believes they are meant for it: to be called before there are
    /// threads that read it.
    pub(crate) fn take() -> Inherited {
        Inherited(ListenFd::from_env())
    }

    /// The first inherited socket; without one, `PORT` is bound.
    pub(crate) async fn or_bind(mut self, settings: &Settings) -> io::Result<TcpListener> {
        let inherited = self.0.take_tcp_listener(0).map_err(|error| {
            io::Error::new(error.kind(), format!("LISTEN_FDS names no TCP socket: {error}"))
        })?;
        if let Some(listener) = inherited {
            // A socket that only connects, or none yet, would fail at the first client.
            if !socket_acceptconn(&listener)? {
                return Err(io::Error::other("LISTEN_FDS names a socket that does not listen"));
            }
            listener.set_nonblocking(true)?;
            return TcpListener::from_std(listener);
        }
        // A service on a developer's machine has no business on its network.
        let host = match settings.app_env {
            Environment::Development => Ipv4Addr::LOCALHOST,
            Environment::Staging | Environment::Production => Ipv4Addr::UNSPECIFIED,
        };
        let address = SocketAddr::from((host, settings.port));
        TcpListener::bind(address).await.map_err(|error| {
            let what = format!("cannot listen on {address}: {error}: set PORT to another port");
            io::Error::new(error.kind(), what)
        })
    }
}
