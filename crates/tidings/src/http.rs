//! Health and metrics of a service over HTTP, where orchestrators and Prometheus look for them:
//! `/livez`, `/readyz`, `/startupz`, `/healthz`, `/version`, `/metrics`. Off unless set.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Registry;
use crate::service::Stats;

#[cfg(test)]
mod tests;

/// What the pages show.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) registry: Registry,
    pub(crate) stats: Stats,
    pub(crate) service: String,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    task: tokio::task::JoinHandle<()>,
    #[cfg(test)]
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The address is not to be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "health and metrics cannot be served at {address}: {reason}; choose another port by `http` in \
     tidings.toml or TIDINGS_HTTP (port 0 picks a free one)"
)]
pub struct HttpError {
    address: SocketAddr,
    reason: std::io::Error,
}

/// Binds and serves. The address that was bound is logged as `http_addr`.
pub(crate) async fn serve(address: SocketAddr, pages: Pages) -> Result<Server, HttpError> {
    let failed = |reason| HttpError { address, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!(service = pages.service, http_addr = %bound, "health and metrics");
    let router = router(pages);
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the server of health and metrics ended");
        }
    });
    Ok(Server {
        task,
        #[cfg(test)]
        address: bound,
    })
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/healthz", get(ready))
        .route("/readyz", get(ready))
        .route("/startupz", get(started))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .with_state(pages)
}

/// `?verbose` asks for one line per check.
#[derive(serde::Deserialize)]
struct Verbose {
    verbose: Option<String>,
}

async fn ready(State(pages): State<Pages>, Query(query): Query<Verbose>) -> Response {
    let health = pages.stats.health();
    answer(health.is_ready(), query.verbose.is_some(), || health.verbose())
}

async fn started(State(pages): State<Pages>, Query(query): Query<Verbose>) -> Response {
    let health = pages.stats.health();
    answer(health.has_started(), query.verbose.is_some(), || health.verbose())
}

/// What is wrong is always told, as whoever gets a 503 asks next.
fn answer(good: bool, verbose: bool, details: impl FnOnce() -> String) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = if good && !verbose { "ok\n".to_owned() } else { details() };
    (status, text).into_response()
}

async fn version(State(pages): State<Pages>) -> Response {
    let version = serde_json::json!({
        "service": pages.service,
        "tidings": env!("CARGO_PKG_VERSION"),
    });
    ([(CONTENT_TYPE, "application/json")], version.to_string()).into_response()
}

async fn metrics(State(pages): State<Pages>) -> Response {
    let text = pages.registry.render();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
