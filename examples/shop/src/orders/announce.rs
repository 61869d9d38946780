//! From a sale to its event. With a store both stand in one transaction, and the service's relay
//! publishes what has committed. Without one the sale is written first, then published, and what
//! the broker has acknowledged is noted; what a kill leaves in between is announced at the next
//! start, under the same id.

use futures_util::future::try_join_all;
use tidings::{Draft, EventId, Outbox, Publisher};

use super::events::OrderPlaced;
use crate::Error;
use crate::book::{Book, BookError, Statement};
use crate::purchases::Purchase;

/// How order.placed gets from the database to the broker.
pub(crate) enum Announcer {
    /// In the transaction of the sale.
    Outbox(Outbox),
    /// After it.
    Publisher(Publisher),
}

/// A sale as it stands in the database.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(super) struct Sale {
    order_id: i64,
    event_id: String,
    customer: i64,
    bought_on: String,
    cds: i64,
    total_cents: i64,
}

impl Announcer {
    /// Writes sales down and announces them. Should this end early, [`catch_up`](Self::catch_up)
    /// does the rest.
    ///
    /// # Errors
    /// When the database or the broker does not take them.
    pub(super) async fn sell(&self, book: &Book, sales: Vec<Sale>) -> Result<(), Error> {
        match self {
            Announcer::Outbox(outbox) => {
                let rows = sales.iter().map(Sale::row).chain(sales.iter().map(Sale::note));
                Ok(write_together(book, outbox, rows.collect(), &sales).await?)
            }
            Announcer::Publisher(publisher) => {
                try_join_all(sales.iter().map(|sale| append(book, sale.row()))).await?;
                publish(book, publisher, &sales).await
            }
        }
    }

    /// Announces what is written down and was not announced: what a service without a store left.
    ///
    /// # Errors
    /// As [`sell`](Self::sell).
    pub(super) async fn catch_up(&self, book: &Book) -> Result<(), Error> {
        let left = book.run(Statement::new(include_str!("unannounced.sql"))).await?;
        match self {
            Announcer::Outbox(outbox) => {
                let notes = left.iter().map(Sale::note).collect();
                Ok(write_together(book, outbox, notes, &left).await?)
            }
            Announcer::Publisher(publisher) => publish(book, publisher, &left).await,
        }
    }
}

impl Sale {
    /// A purchase under a new number.
    pub(super) fn of(order_id: u32, purchase: Purchase) -> Sale {
        let Purchase { customer, bought_on, cds, total_cents } = purchase;
        let (order_id, customer, cds) = (order_id.into(), customer.into(), cds.into());
        let event_id = EventId::random().to_string();
        Sale { order_id, event_id, customer, bought_on, cds, total_cents }
    }

    /// What stands in the database once it is sold.
    fn row(&self) -> Statement {
        let row = Statement::new(include_str!("place.sql"));
        let row = row.bind(self.order_id).bind(self.event_id.as_str()).bind(self.customer);
        row.bind(self.bought_on.as_str()).bind(self.cds).bind(self.total_cents)
    }

    /// What stands there once it is announced.
    fn note(&self) -> Statement {
        Statement::new(include_str!("announce.sql")).bind(self.order_id)
    }

    /// The event of this sale, which has the same id however often it is announced.
    fn event(&self) -> Result<Draft, Error> {
        let Sale { order_id, event_id, customer, bought_on, cds, total_cents } = self.clone();
        let number = |number| u32::try_from(number).map_err(|_| Error::Number { number });
        let order_id = number(order_id)?;
        let (customer, cds) = (number(customer)?, number(cds)?);
        let event = OrderPlaced { order_id, customer, bought_on, cds, total_cents };
        Ok(Draft::of(event).id(event_id))
    }
}

/// Rows and events, both or neither.
async fn write_together(
    book: &Book,
    outbox: &Outbox,
    rows: Vec<Statement>,
    sales: &[Sale],
) -> Result<(), Error> {
    if sales.is_empty() {
        return Ok(());
    }
    let events: Vec<Draft> = sales.iter().map(Sale::event).collect::<Result<_, _>>()?;
    let mut transaction = book.begin().await?;
    for row in rows {
        transaction.run::<(i64,)>(row).await?;
    }
    transaction.publish(outbox, events).await?;
    Ok(transaction.commit().await?)
}

/// Publishes sales in their order, and notes what the broker has acknowledged.
async fn publish(book: &Book, publisher: &Publisher, sales: &[Sale]) -> Result<(), Error> {
    let mut acknowledgements = Vec::with_capacity(sales.len());
    for sale in sales {
        let acknowledged = publisher.enqueue(sale.event()?).await.map_err(tidings::Error::from)?;
        acknowledgements.push((sale, acknowledged));
    }
    let mut notes = Vec::with_capacity(acknowledgements.len());
    for (sale, acknowledged) in acknowledgements {
        acknowledged.await.map_err(tidings::Error::from)?;
        notes.push(append(book, sale.note()));
    }
    try_join_all(notes).await?;
    Ok(())
}

/// Appends a row without a store.
async fn append(book: &Book, row: Statement) -> Result<(), BookError> {
    book.append::<(i64,)>(row).await.map(drop)
}
