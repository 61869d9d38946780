//! The start of every story: one customer's purchase after the other, sold at the pace that was
//! asked for. The rows are what counts: after a kill, this goes on where they end.

use tokio::time::{Instant, sleep};

use super::Announcer;
use super::announce::Sale;
use super::pace::{Due, Pace};
use crate::book::{Book, Statement};
use crate::{Env, Error, purchases};

/// Places orders at the rate that `env` says until all are placed.
pub(super) async fn orders(env: &Env, book: &Book, announcer: &Announcer) -> Result<(), Error> {
    let purchases = purchases::sample()?;
    announcer.catch_up(book).await?;

    let (last,): (i64,) = book.append(Statement::new(include_str!("last.sql"))).await?;
    let last = u32::try_from(last).map_err(|_| Error::Number { number: last })?;
    let mut numbers = last + 1..=env.expected_orders();
    let (start, mut pace) = (Instant::now(), Pace::new(env.rate));
    while !numbers.is_empty() {
        match pace.due(start.elapsed()) {
            Due::In(wait) => sleep(wait).await,
            Due::Now(due) => {
                // Beyond the sample it starts again at the first purchase.
                let purchase = |number| &purchases[(number as usize - 1) % purchases.len()];
                let sale = |number| Sale::of(number, purchase(number).clone());
                let sales: Vec<Sale> = numbers.by_ref().take(due).map(sale).collect();
                pace.placed(sales.len());
                announcer.sell(book, sales).await?;
            }
        }
    }
    Ok(())
}
