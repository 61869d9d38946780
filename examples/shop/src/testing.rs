//! What the tests of all services need: a service on a database of its own, and what stands in it.

use sqlx::FromRow;
use sqlx::sqlite::SqliteRow;
use tidings::Service;
use tidings::test::Harness;

use crate::book::Book;

/// A service without a broker.
pub(crate) struct Bench {
    pub(crate) harness: Harness,
    pub(crate) book: Book,
    _directory: tempfile::TempDir,
}

pub(crate) async fn bench(schema: &'static str, service: fn(Book) -> Service) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let book = Book::open(&directory.path().join("test.db"), schema).await.unwrap();
    let harness = tidings::test::service(service(book.clone())).await;
    Bench { harness, book, _directory: directory }
}

impl Bench {
    /// The rows that a statement returns.
    pub(crate) async fn rows<Row>(&self, sql: &'static str) -> Vec<Row>
    where
        Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin + 'static,
    {
        self.book.run(sqlx::query_as(sql)).await.unwrap()
    }

    /// Rows, and how many different events caused them.
    pub(crate) async fn effects(&self) -> (i64, i64) {
        self.rows("select count(*), count(distinct source || id) from effects").await[0]
    }
}
