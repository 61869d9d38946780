//! Accepts connections, as many as there is room for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::connection;
use crate::port_holder;
use crate::shared::Shared;
use crate::start_error::StartError;

/// How long to wait when the system has no more files for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds the address, or says who has it.
pub(crate) async fn bind(addr: SocketAddr) -> Result<TcpListener, StartError> {
    match TcpListener::bind(addr).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(StartError::AddressInUse { addr, by: port_holder::find(addr.port()) })
        }
        Err(source) => Err(StartError::Bind { addr, source }),
    }
}

/// Serves connections until the broker stops, then waits for those that are open to finish.
pub(crate) async fn accept(broker: Arc<Shared>, listener: TcpListener) {
    let mut stop = broker.stop.clone();
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.requested() => break,
            Some(ended) = open.join_next() => {
                broker.stats.closed();
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => welcome(&broker, &mut open, stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {
        broker.stats.closed();
    }
}

fn welcome(broker: &Arc<Shared>, open: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr) {
    if open.len() >= broker.config.max_connections {
        broker.stats.turned_away();
        tracing::warn!(%peer, open = open.len(), "turned a connection away: too many are open");
        return;
    }
    broker.stats.opened();
    open.spawn(connection::serve(broker.clone(), stream, peer));
}
