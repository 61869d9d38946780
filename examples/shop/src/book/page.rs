//! What a handler writes an event's effects into: in the transaction of its attempt, or without a
//! store in one that it shares with its neighbours. The handlers are the same.

use tidings::{Context, Fail, FromEvent, Needs, Tx};

use super::writer::Writer;
use super::{Book, BookError, Row, Statement, Way};

/// An argument of handlers: the service's database, open for the effects of this event.
#[derive(Debug)]
pub(crate) struct Page {
    place: Place,
    source: String,
    id: String,
    attempt: u32,
}

#[derive(Debug)]
enum Place {
    Shared(Writer),
    Sqlite(Tx<sqlx::Sqlite>),
    Postgres(Tx<sqlx::Postgres>),
}

impl FromEvent for Page {
    const EXCLUSIVE: bool = true;

    fn needs(needs: &mut Needs) {
        needs.state::<Book>();
    }

    async fn from_event(cx: &mut Context) -> Result<Page, Fail> {
        let meta = cx.meta()?;
        let place = match cx.state::<Book>()?.way {
            Way::Shared(writer) => Place::Shared(writer),
            Way::Sqlite(_) => Place::Sqlite(Tx::from_event(cx).await?),
            Way::Postgres(_) => Place::Postgres(Tx::from_event(cx).await?),
        };
        Ok(Page { place, source: meta.source, id: meta.id.to_string(), attempt: meta.attempt })
    }
}

impl Page {
    /// A statement that appends an effect of the event: its first three values are the event's
    /// source, its id and the attempt.
    pub(crate) fn effect(&self, insert: &'static str) -> Statement {
        let Page { source, id, attempt, .. } = self;
        Statement::new(insert).bind(source.as_str()).bind(id.as_str()).bind(*attempt)
    }

    /// Which attempt at the event this is, the first being 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Runs a statement that returns one row or none.
    ///
    /// # Errors
    /// When it fails, or cannot be committed with its neighbours.
    pub(crate) async fn run_one<R: Row>(
        &mut self,
        statement: Statement,
    ) -> Result<Option<R>, BookError> {
        let rows = match &mut self.place {
            Place::Shared(writer) => writer.run(statement).await?,
            Place::Sqlite(tx) => {
                let connection = tx.conn().await.map_err(BookError::Statement)?;
                statement.on_sqlite(connection).await.map_err(BookError::Statement)?
            }
            Place::Postgres(tx) => {
                let connection = tx.conn().await.map_err(BookError::Statement)?;
                statement.on_postgres(connection).await.map_err(BookError::Statement)?
            }
        };
        Ok(rows.into_iter().next())
    }

    /// As [`run_one`](Page::run_one), for a statement that always returns a row.
    ///
    /// # Errors
    /// As [`run_one`](Page::run_one), and when there was none.
    pub(crate) async fn append<R: Row>(&mut self, statement: Statement) -> Result<R, BookError> {
        self.run_one(statement).await?.ok_or(BookError::NoRow)
    }
}
