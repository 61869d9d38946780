//! What the tests of all services need: a service on a database of its own, and what stands in it.

use tidings::Service;
use tidings::test::Harness;

use crate::book::{Book, Row, Schema, Statement};
use crate::store::Database;

/// A service without a broker.
pub(crate) struct Bench {
    pub(crate) harness: Harness,
    pub(crate) book: Book,
    _directory: tempfile::TempDir,
}

/// A service that handles with a store.
pub(crate) async fn bench(schema: Schema, service: impl FnOnce(Book) -> Service) -> Bench {
    on(schema, service, true).await
}

/// A service without one: what comes again has its effect again.
pub(crate) async fn without_store(schema: Schema, service: impl FnOnce(Book) -> Service) -> Bench {
    on(schema, service, false).await
}

async fn on(schema: Schema, service: impl FnOnce(Book) -> Service, with_store: bool) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::File(directory.path().join("test.db"));
    let book = Book::open(&database, schema, with_store).await.unwrap();
    let harness = tidings::test::service(book.keep(service(book.clone()))).await;
    Bench { harness, book, _directory: directory }
}

impl Bench {
    /// The rows that a statement returns.
    pub(crate) async fn rows<R: Row>(&self, sql: &'static str) -> Vec<R> {
        self.book.run(Statement::new(sql)).await.unwrap()
    }

    /// Rows, and how many different events caused them.
    pub(crate) async fn effects(&self) -> (i64, i64) {
        self.rows("select count(*), count(distinct source || id) from effects").await[0]
    }
}
