//! InitProducerId (key 22): an id for an idempotent producer. Left out: transactions.

use std::ops::RangeInclusive;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::blocking;
use crate::shared::{Client, Shared};

pub(crate) const VERSIONS: RangeInclusive<i16> = 0..=4;

pub(crate) async fn handle(
    broker: &Shared,
    client: &Client,
    _version: i16,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let failed = |error: ResponseError| {
        InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    if let Some(id) = request.transactional_id {
        // The one error that every client takes as final; retrying would never help.
        tracing::warn!(
            peer = %client.addr, client = %client.id, transactional_id = %*id,
            "refused: this embedded broker does not offer transactions; use Apache Kafka"
        );
        return failed(ResponseError::TransactionalIdAuthorizationFailed);
    }
    let ids = broker.ids.clone();
    match blocking::run(move || ids.next_producer()).await {
        Ok(id) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0),
        Err(error) => {
            tracing::error!(%error, "cannot give out a producer id");
            failed(ResponseError::CoordinatorNotAvailable)
        }
    }
}
