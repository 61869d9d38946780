//! The writer groups statements, keeps a failing one from harming its neighbours, and writes to a
//! file that another connection can read at the same time.

use std::path::Path;

use super::*;
use crate::book::{Book, Schema};
use crate::store::Database;

const SCHEMA: Schema = Schema {
    sqlite: "create table if not exists notes (seq integer primary key, text not null);",
    postgres: "",
};

fn note(text: &str) -> Statement {
    Statement::new("insert into notes (text) values ($1) returning seq").bind(text)
}

async fn open(directory: &Path) -> Book {
    Book::open(&Database::File(directory.join("notes.db")), SCHEMA, false).await.unwrap()
}

async fn run(book: &Book, statement: Statement) -> Result<Vec<(i64,)>, BookError> {
    book.run(statement).await
}

#[tokio::test]
async fn rows_survive_a_reopen() {
    let directory = tempfile::tempdir().unwrap();
    let book = open(directory.path()).await;
    assert_eq!(run(&book, note("one")).await.unwrap(), [(1,)]);
    drop(book);
    let book = open(directory.path()).await;
    assert_eq!(run(&book, note("two")).await.unwrap(), [(2,)]);
}

#[tokio::test]
async fn a_failing_statement_leaves_its_neighbours_alone() {
    let directory = tempfile::tempdir().unwrap();
    let book = open(directory.path()).await;
    // Enqueued in one poll, so they share a transaction.
    let none = Statement::new("insert into notes (text) values (null) returning seq");
    let (before, failing, after) =
        tokio::join!(run(&book, note("a")), run(&book, none), run(&book, note("b")));
    before.unwrap();
    let error = failing.unwrap_err().to_string();
    assert!(error.contains("NOT NULL constraint failed: notes.text"), "{error}");
    after.unwrap();
    let notes = Statement::new("select text from notes order by seq");
    assert_eq!(book.run::<(String,)>(notes).await.unwrap(), [("a".to_owned(),), ("b".to_owned(),)]);
}

#[tokio::test]
async fn a_cancelled_caller_does_not_stop_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let book = open(directory.path()).await;
    let never_polled_to_the_end = tokio::spawn({
        let book = book.clone();
        async move { run(&book, note("a")).await }
    });
    never_polled_to_the_end.abort();
    run(&book, note("b")).await.unwrap();
}
