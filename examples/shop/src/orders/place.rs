//! The start of every story: one customer's purchase after the other, first written down, then
//! announced. The row is what counts: after a kill, this goes on where the rows end.

use futures_util::future::try_join_all;
use tidings::{Draft, EventId, Publisher};
use tokio::time::{Instant, sleep};

use super::events::OrderPlaced;
use super::pace::{Due, Pace};
use crate::book::{Book, BookError};
use crate::purchases::{self, Purchase};
use crate::{Env, Error};

/// Places orders at the rate that `env` says until all are placed.
pub(super) async fn orders(env: &Env, book: &Book, publisher: &Publisher) -> Result<(), Error> {
    let purchases = purchases::sample()?;
    let unannounced = sqlx::query_as(include_str!("unannounced.sql"));
    announce(book, publisher, book.run(unannounced).await?).await?;

    let (last,): (u32,) = book.append(sqlx::query_as(include_str!("last.sql"))).await?;
    let mut numbers = last + 1..=env.expected_orders();
    let (start, mut pace) = (Instant::now(), Pace::new(env.rate));
    while !numbers.is_empty() {
        match pace.due(start.elapsed()) {
            Due::In(wait) => sleep(wait).await,
            Due::Now(due) => {
                let sales = numbers.by_ref().take(due).map(|number| Sale::of(number, &purchases));
                let placed = place(book, sales.collect()).await?;
                pace.placed(placed.len());
                announce(book, publisher, placed).await?;
            }
        }
    }
    Ok(())
}

/// A sale as it stands in the database.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct Sale {
    order_id: u32,
    event_id: String,
    customer: u32,
    bought_on: String,
    cds: u32,
    total_cents: i64,
}

impl Sale {
    /// The order of this number, from 1. Beyond the sample it starts again at the first purchase.
    fn of(order_id: u32, purchases: &[Purchase]) -> Sale {
        let index = (order_id as usize - 1) % purchases.len();
        let Purchase { customer, bought_on, cds, total_cents } = purchases[index].clone();
        let event_id = EventId::random().to_string();
        Sale { order_id, event_id, customer, bought_on, cds, total_cents }
    }

    /// The event of this sale, which has the same id however often it is announced.
    fn event(self) -> Draft {
        let Sale { order_id, event_id, customer, bought_on, cds, total_cents } = self;
        Draft::of(OrderPlaced { order_id, customer, bought_on, cds, total_cents }).id(event_id)
    }
}

/// Writes sales down; when this returns they will be announced, whatever happens.
async fn place(book: &Book, sales: Vec<Sale>) -> Result<Vec<Sale>, BookError> {
    let rows = sales.iter().cloned().map(|sale| {
        let row = sqlx::query_as::<_, (u32,)>(include_str!("place.sql"));
        let row = row.bind(sale.order_id).bind(sale.event_id).bind(sale.customer);
        book.append(row.bind(sale.bought_on).bind(sale.cds).bind(sale.total_cents))
    });
    try_join_all(rows).await?;
    Ok(sales)
}

/// Publishes sales in their order, and notes what the broker has acknowledged.
async fn announce(book: &Book, publisher: &Publisher, sales: Vec<Sale>) -> Result<(), Error> {
    let mut acknowledgements = Vec::with_capacity(sales.len());
    for sale in sales {
        let order_id = sale.order_id;
        let acknowledged = publisher.enqueue(sale.event()).await.map_err(tidings::Error::from)?;
        acknowledgements.push((order_id, acknowledged));
    }
    let mut notes = Vec::with_capacity(acknowledgements.len());
    for (order_id, acknowledged) in acknowledgements {
        acknowledged.await.map_err(tidings::Error::from)?;
        let note = sqlx::query_as::<_, (i64,)>(include_str!("announce.sql"));
        notes.push(book.append(note.bind(order_id)));
    }
    try_join_all(notes).await?;
    Ok(())
}
