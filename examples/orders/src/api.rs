//! The service itself: what it is made of, in which order it starts, and in which it stops.

use std::{error::Error, io, time::Duration};

use tokio::{net::TcpListener, task::spawn_blocking};
use underpin_fault::Fault;
use underpin_health::{Health, Weight};
use underpin_shutdown::{Phase, Plan, Reason, Shutdown};
use underpin_tasks::{Failure, Nursery};

use crate::{
    activity::Activity,
    changes::Changes,
    desk::Desk,
    listener::Inherited,
    live::Live,
    payment::{Payments, stub},
    routes::{self, Service, Version},
    settings::{Environment, Settings},
    store::Store,
    tell, upkeep,
};

/// How long nobody may look for changes before the process counts as stuck.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// How long a stop may take, and how much of it everything is still accepted.
pub(crate) fn plan(settings: &Settings) -> Plan {
    let plan = Plan::detect();
    settings.lame_duck.map_or(plan, |lame_duck| plan.lame_duck(lame_duck))
}

pub(crate) async fn serve(
    settings: Settings,
    inherited: Inherited,
    shutdown: Shutdown,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let started = shutdown.startup(start(&settings, inherited, &shutdown)).await;
    let Ok(started) = started else { return Ok(()) };
    let (listener, store) = started?;

    let lifecycle = shutdown.clone();
    let health = Health::new().gate("lifecycle", move || lifecycle.phase() == Phase::Running);
    // Reasons name what the service depends on: not for strangers.
    let is_local = settings.app_env == Environment::Development;
    let health = if is_local { health.with_details() } else { health };
    // Before those that have something to tell, so that it ends after them.
    let activity = Activity::start(&settings, &health, &shutdown);
    upkeep::start(&store, &activity, &health, &shutdown);
    let changes = Changes::new(&store, &shutdown);
    // Without this task streams fall silent and nobody hears of it, so its failure ends the process.
    let tasks = vital_tasks(&shutdown);
    tasks.spawn("changes", changes.clone().announce(health.heartbeat("changes", MAX_SILENCE)));
    let live = Live::new(&settings);
    live.follow(&settings, &health, &shutdown, &tasks).await?;
    let provider = provider(&settings, &tasks).await?;
    // Shared: were replicas not ready because the provider is down, nobody could read an order either.
    let circuit = health.switch("payment circuit").weight(Weight::Shared);
    let payments = Payments::new(&provider, &settings, circuit, &shutdown)?;
    // Until the drain; what it answers from then on is fixed.
    drop(health.run(shutdown.at(Phase::Draining).unit()));

    let version = Version::new(&settings);
    let desk = Desk::new(&store, payments, &activity, &shutdown);
    let service = Service { store, desk, live, changes, activity, version };
    let routes = routes::routes(service, &health, &shutdown);
    let address = listener.local_addr()?;
    tell(&format!("orders listens on http://{address}: try curl http://{address}/version"));
    Ok(underpin_shutdown::serve(listener, routes, &shutdown).await?)
}

/// What has to succeed before anybody is served.
async fn start(
    settings: &Settings,
    inherited: Inherited,
    shutdown: &Shutdown,
) -> Result<(TcpListener, Store), Box<dyn Error + Send + Sync>> {
    let listener = inherited.or_bind(settings).await?;
    let folder = settings.data_dir.clone();
    let store = spawn_blocking(move || Store::open(&folder)).await?;
    // In full: whoever starts it needs the cause.
    let store = store.map_err(|error| format!("{:#}", Fault::from(error)))?;
    let opened = store.clone();
    shutdown.defer("database", move |_| async move { opened.close().await });
    Ok((listener, store))
}

/// Where payments go: without a provider, to a stub inside of this process.
async fn provider(settings: &Settings, tasks: &Nursery) -> io::Result<String> {
    if let Some(url) = &settings.payment_url {
        return Ok(url.as_str().to_owned());
    }
    let (_, url) = stub::start(tasks).await?;
    tell(&format!("payment stub listens on {url}: nobody pays until PAYMENT_URL is set"));
    Ok(url)
}

/// Tasks without which the service is not one.
fn vital_tasks(shutdown: &Shutdown) -> Nursery {
    let shutdown = shutdown.clone();
    Nursery::new().on_outcome(move |outcome| match &outcome.result {
        Ok(()) | Err(Failure::Cancelled) => {}
        Err(failure) => {
            let (task, error) = (outcome.name.clone(), failure.to_string().into());
            shutdown.trigger(Reason::TaskFailed { task, error });
        }
    })
}
