//! The server: every function's routes on one port, with what the cloud triggers by itself running beside it.

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::{
    Router,
    serve::{ListenerExt, TapIo},
};
use lmo_shared::{
    auth::Ring,
    billing::{
        payments::Payments,
        repo::Subscriptions,
        run::{FOREVER, Others, Runs},
    },
    clock::Clock,
    http,
    llm::catalogue::DEFAULT_ALIAS,
    mail::Mailer,
    platform::Platform,
    tenant::Purge,
    usage::{Destination, Expired, Exporter, QuotaLetters, Sweeper},
    webhook::Deliveries,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    args::{Place, Serve},
    backend::Backend,
    banner, discovery,
    engine::{Engines, Pump},
    mail,
    problem::Problem,
    prometheus,
};

/// How long what is cut off then may take to settle and say so.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often the sweep runs; in the cloud a schedule says it.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often webhooks are told what is due, and for how long at most; in the cloud a schedule says it.
const DELIVER_EVERY: Duration = Duration::from_millis(500);
const DELIVER_FOR: Duration = Duration::from_secs(10);
/// How often tenants are removed whose time has come, likewise.
const PURGE_EVERY: Duration = Duration::from_hours(1);
/// How often billing runs are looked after, likewise.
const BILL_EVERY: Duration = Duration::from_mins(10);
/// How often invoices are looked at whose payment is to be seen to, and for how long at most, likewise.
const COLLECT_EVERY: Duration = Duration::from_secs(30);
const COLLECT_FOR: Duration = Duration::from_mins(1);
/// How often it is looked which tenants' plans begin, likewise.
const TERMS_EVERY: Duration = Duration::from_mins(1);
/// How often the usage of days that are over is exported, likewise.
const EXPORT_EVERY: Duration = Duration::from_hours(1);
/// How often letters about quotas are posted, likewise.
const POST_EVERY: Duration = Duration::from_secs(10);
/// How often the age of the signing keys is looked at; in the cloud a schedule says it.
const ROTATE_EVERY: Duration = Duration::from_hours(1);

/// Serves until it is told to stop.
pub async fn run(place: &Place, args: &Serve) -> Result<ExitCode, Problem> {
    let (listener, address) = listen(args.port).await?;
    let stopped = stop_signal()?;
    let backend = Backend::open(place, address.port()).await?;
    let platform = &backend.platform;
    let catalogue = discovery::catalogue(args.models.as_deref(), platform.clock().now()).await?;
    let default = catalogue.aliases.get(DEFAULT_ALIAS).cloned().unwrap_or_else(|| "none by default".to_owned());
    platform.catalogues().apply(catalogue).await?;
    let mut key = None;
    if backend.engines.is_some() {
        // Nobody else can hold anything: the data directory is locked.
        platform.sweeper().sweep(Expired::All).await?;
        key = Some(banner::demo_key(platform).await?);
    }
    let mailer = mail::mailer(platform, place, backend.engines.is_some())?;
    let background = Background::start(platform, backend.engines.as_ref(), place, &mailer);
    let metrics = prometheus::install()?;
    banner::print(address, key.as_deref(), &default);
    serve(listener, platform, mailer, metrics, stopped, args.patience).await?;
    background.stop().await;
    backend.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Listens on a port of 127.0.0.1; 0 takes a free one.
pub async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Problem> {
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Problem(format!("port {port} is in use; choose another with --port")),
        _ => Problem(format!("port {port}: {error}")),
    };
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// Connections that send at once: without it the kernel holds small chunks back for up to 40 ms.
pub fn prompt(listener: TcpListener) -> TapIo<TcpListener, fn(&mut TcpStream)> {
    listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    })
}

/// Every function's routes.
pub fn routes(platform: &Platform, mailer: Mailer) -> OpenApiRouter {
    let (authenticator, clock) = (platform.authenticator(), platform.clock().clone());
    let catalogues = platform.catalogues();
    let answers = platform.answers(Arc::clone(&catalogues));
    lmo_query::router(authenticator.clone(), answers.clone(), clock.clone())
        .merge(lmo_auth::router(platform, authenticator.clone(), mailer.clone()))
        .merge(lmo_stream::router(authenticator.clone(), answers.clone(), clock.clone()))
        .merge(lmo_websocket::router(authenticator.clone(), answers, clock, platform.tasks().clone()))
        .merge(lmo_billing::router(platform, &authenticator, &mailer))
        .merge(lmo_tenant::router(platform, authenticator, catalogues, mailer))
}

/// Serves; after `stop` it accepts nothing more, lets what is under way finish, and settles everything.
async fn serve(
    listener: TcpListener,
    platform: &Platform,
    mailer: Mailer,
    metrics: Router,
    stop: oneshot::Receiver<()>,
    patience: Duration,
) -> Result<(), Problem> {
    let app = http::serve(routes(platform, mailer), platform.clock().clone(), platform.config().origin_token.clone())
        .merge(metrics);
    let (draining, drain_begins) = oneshot::channel();
    let tasks = platform.tasks().clone();
    let connections = tasks.clone();
    let stop = async move {
        let _ = stop.await;
        tasks.close();
        let _ = draining.send(());
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(prompt(listener), app).with_graceful_shutdown(stop);
    let mut server = tokio::spawn(async move {
        server.await?;
        // A connection that became a WebSocket is none of the server's any more.
        connections.idle().await;
        Ok(())
    });
    let end = async {
        let _ = drain_begins.await;
        tokio::time::sleep(patience).await;
        // A client that doesn't read keeps its stream from ending; what it got is in the ledger.
        let _ = tokio::join!(
            tokio::time::sleep(LAST_WORDS),
            tokio::time::timeout(LAST_WORDS, platform.tasks().finish(Duration::ZERO)),
        );
    };
    let ended = tokio::select! {
        ended = &mut server => ended,
        () = end => {
            server.abort();
            return Ok(());
        }
    };
    match ended {
        Ok(Ok(())) => platform.tasks().finish(LAST_WORDS).await,
        Ok(Err(error)) => {
            let error: std::io::Error = error;
            return Err(Problem(format!("server: {error}")));
        }
        Err(error) => return Err(Problem(format!("server: {error}"))),
    }
    Ok(())
}

/// Resolves at SIGTERM or Ctrl-C. A second one ends the process at once, as usual.
pub fn stop_signal() -> Result<oneshot::Receiver<()>, Problem> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| Problem(format!("signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        let _ = stop.send(());
        next().await;
        std::process::exit(130);
    });
    Ok(stopped)
}

/// What the cloud triggers by itself: sweep, deliveries and billing runs on a schedule, and the aggregation by its stream. Where a deployment's
/// own functions do the same, doing it twice changes nothing.
pub struct Background {
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl Background {
    pub fn start(platform: &Platform, engines: Option<&Engines>, place: &Place, mailer: &Mailer) -> Self {
        let stop = CancellationToken::new();
        let failures = place.data_dir.join("failed-events.jsonl");
        let mut pump = Pump::new(platform.kinesis(), platform.config().stream.as_str(), failures);
        if let Some(engines) = engines {
            pump = pump.acknowledging(engines.kinesis());
        }
        let aggregator = platform.aggregator();
        let handler = move |event| {
            let aggregator = aggregator.clone();
            async move { Ok::<_, std::convert::Infallible>(lmo_aggregate::count(&aggregator, event).await) }
        };
        let sweeping = tokio::spawn(sweep(platform.sweeper(), stop.clone()));
        let delivering = tokio::spawn(deliver(platform.deliveries(), platform.clock().clone(), stop.clone()));
        let purging = tokio::spawn(purge(platform.purge(), platform.clock().clone(), stop.clone()));
        let payments = platform.payments(mailer.clone());
        let collecting = tokio::spawn(collect(payments, platform.clock().clone(), stop.clone()));
        // Nobody else can be at a run: the data directory is locked.
        let others = if engines.is_some() { Others::AreDead } else { Others::MayBeAtIt };
        let billing = tokio::spawn(bill(platform.runs(), others, stop.clone()));
        let beginning = tokio::spawn(begin_terms(platform.subscriptions(), platform.clock().clone(), stop.clone()));
        let posting =
            tokio::spawn(post(platform.quota_letters(mailer.clone()), platform.clock().clone(), stop.clone()));
        let pumping = tokio::spawn(pump.run(handler, stop.clone()));
        let mut running = vec![sweeping, delivering, purging, collecting, billing, beginning, posting, pumping];
        if engines.is_some() {
            running.push(tokio::spawn(rotate(platform.ring(), stop.clone())));
            let exporter = platform.exporter(Destination::Folder(place.data_dir.join("export")));
            running.push(tokio::spawn(export(exporter, platform.clock().clone(), stop.clone())));
        }
        Self { stop, running }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.running {
            let _ = task.await;
        }
    }
}

async fn sweep(sweeper: Sweeper, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        match sweeper.sweep(Expired::ByDeadline).await {
            Ok(swept) => tracing::debug!(?swept, "swept"),
            Err(error) => tracing::error!(error = ?error, "the sweep failed; it will be tried again"),
        }
    }
}

async fn deliver(deliveries: Deliveries, clock: Clock, stop: CancellationToken) {
    loop {
        let mut run = std::pin::pin!(deliveries.run(clock.now().after(DELIVER_FOR)));
        let ran = tokio::select! {
            ran = &mut run => ran,
            () = stop.cancelled() => {
                // What is cut off then is told again after the next start.
                let _ = tokio::time::timeout(LAST_WORDS, run).await;
                return;
            }
        };
        if let Err(error) = ran {
            tracing::error!(error = ?error, "webhooks are told nothing at the moment; it will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(DELIVER_EVERY) => {}
        }
    }
}

async fn collect(payments: Payments, clock: Clock, stop: CancellationToken) {
    loop {
        let mut run = std::pin::pin!(payments.run_due(clock.now().after(COLLECT_FOR)));
        let ran = tokio::select! {
            ran = &mut run => ran,
            () = stop.cancelled() => {
                // What is cut off then is found out after the next start.
                let _ = tokio::time::timeout(LAST_WORDS, run).await;
                return;
            }
        };
        if let Err(error) = ran {
            tracing::error!(error = ?error, "no payments are seen to at the moment; it will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(COLLECT_EVERY) => {}
        }
    }
}

async fn purge(purge: Purge, clock: Clock, stop: CancellationToken) {
    loop {
        let removed = tokio::select! {
            () = stop.cancelled() => return,
            // What is cut off goes on where it was.
            removed = purge.run(clock.now().after(PURGE_EVERY)) => removed,
        };
        if let Err(error) = removed {
            tracing::error!(error = ?error, "the removal of tenants failed; it will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
    }
}

async fn bill(runs: Runs, mut others: Others, stop: CancellationToken) {
    loop {
        let ran = tokio::select! {
            () = stop.cancelled() => return,
            // What is cut off goes on where it was.
            ran = runs.tick(others, FOREVER) => ran,
        };
        if let Err(error) = ran {
            tracing::error!(error = ?error, "a billing run failed; it will be tried again");
        }
        // From now on this process may be.
        others = Others::MayBeAtIt;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BILL_EVERY) => {}
        }
    }
}

async fn begin_terms(subscriptions: Subscriptions, clock: Clock, stop: CancellationToken) {
    loop {
        let begun = tokio::select! {
            () = stop.cancelled() => return,
            // What is cut off is still to be looked at then.
            begun = subscriptions.begin_terms(clock.now().after(TERMS_EVERY)) => begun,
        };
        if let Err(error) = begun {
            tracing::error!(error = ?error, "no terms begin at the moment; it will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TERMS_EVERY) => {}
        }
    }
}

async fn post(letters: QuotaLetters, clock: Clock, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(POST_EVERY) => {}
        }
        // What is begun is finished: a letter that was sent is to be noted so.
        if let Err(error) = letters.post(clock.now().after(POST_EVERY)).await {
            tracing::error!(error = ?error, "no letters are posted at the moment; it will be tried again");
        }
    }
}

async fn export(exporter: Exporter, clock: Clock, stop: CancellationToken) {
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            // What is cut off is written again.
            done = exporter.run(clock.now().after(EXPORT_EVERY)) => done,
        };
        if let Err(error) = done {
            tracing::error!(error = ?error, "the usage is not exported at the moment; it will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EXPORT_EVERY) => {}
        }
    }
}

async fn rotate(ring: Ring, stop: CancellationToken) {
    loop {
        if let Err(error) = lmo_auth::Task::RotateKeys.perform(&ring).await {
            tracing::error!(error = ?error, "the signing keys were not rotated; it will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ROTATE_EVERY) => {}
        }
    }
}
