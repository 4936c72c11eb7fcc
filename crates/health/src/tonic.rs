//! `grpc.health.v1` for tonic.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ::tonic::{Request, Response, Status, codegen::tokio_stream::Stream};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{self, HealthServer},
};

use crate::{health::Health, snapshot::Snapshot, verdict::Verdict};

impl Health {
    /// Readiness as `grpc.health.v1.Health`, for the server as a whole (the empty name) and for each of `services`, by its
    /// full name such as `orders.v1.Orders`.
    ///
    /// Other names are unknown: `NOT_FOUND` for Check, `SERVICE_UNKNOWN` for Watch. List, which is newer than the
    /// generated code of `tonic-health`, is `UNIMPLEMENTED`.
    pub fn grpc<S: Into<String>>(
        &self,
        services: impl IntoIterator<Item = S>,
    ) -> HealthServer<GrpcHealth> {
        let services = services.into_iter().map(Into::into).collect();
        HealthServer::new(GrpcHealth { health: self.clone(), services })
    }
}

/// The service behind [`Health::grpc`].
#[derive(Debug, Clone)]
pub struct GrpcHealth {
    health: Health,
    services: Arc<[String]>,
}

impl GrpcHealth {
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.iter().any(|known| known == service)
    }
}

#[::tonic::async_trait]
impl health_server::Health for GrpcHealth {
    type WatchStream = Watch;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.knows(&request.get_ref().service) {
            return Err(Status::not_found("unknown service"));
        }
        Ok(Response::new(response(serving(self.health.snapshot().readiness))))
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Watch>, Status> {
        let known = self.knows(&request.get_ref().service);
        let watcher = Watcher { health: self.health.clone(), known, seen: None, sent: None };
        Ok(Response::new(Watch { next: Box::pin(watcher.next()) }))
    }
}

/// The answers to a Watch: the present status, then each change. At the stop it says `NOT_SERVING` and ends, so that it
/// does not hold up the server's shutdown.
pub struct Watch {
    next: Next,
}

type Next = Pin<Box<dyn Future<Output = Option<(ServingStatus, Watcher)>> + Send>>;

impl Stream for Watch {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.next.as_mut().poll(cx).map(|next| {
            let (status, watcher) = next?;
            self.next = Box::pin(watcher.next());
            Some(Ok(response(status)))
        })
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

struct Watcher {
    health: Health,
    known: bool,
    seen: Option<Snapshot>,
    sent: Option<ServingStatus>,
}

impl Watcher {
    /// The next status that differs from the one before it, or `None` at the end.
    async fn next(mut self) -> Option<(ServingStatus, Self)> {
        loop {
            let snapshot = match self.seen.take() {
                None => self.health.snapshot(),
                Some(seen) if seen.stopped => return None,
                Some(seen) => self.health.changed(&seen).await,
            };
            let status = if self.known {
                serving(snapshot.readiness)
            } else {
                ServingStatus::ServiceUnknown
            };
            self.seen = Some(snapshot);
            if self.sent.replace(status) != Some(status) {
                return Some((status, self));
            }
        }
    }
}

fn serving(readiness: Verdict) -> ServingStatus {
    if readiness.passes() { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
