//! The writer groups statements, keeps a failing one from harming its neighbours, and writes to a
//! file that another connection can read at the same time.

use super::*;

const SCHEMA: &str = "create table if not exists notes (seq integer primary key, text not null);";

fn note(text: Option<&str>) -> Statement<(i64,)> {
    sqlx::query_as("insert into notes (text) values (?) returning seq")
        .bind(text.map(ToOwned::to_owned))
}

async fn open(directory: &Path) -> Book {
    Book::open(&directory.join("notes.db"), SCHEMA).await.unwrap()
}

#[tokio::test]
async fn rows_survive_a_reopen() {
    let directory = tempfile::tempdir().unwrap();
    let book = open(directory.path()).await;
    assert_eq!(book.run_one(note(Some("one"))).await.unwrap(), Some((1,)));
    drop(book);
    let book = open(directory.path()).await;
    assert_eq!(book.run_one(note(Some("two"))).await.unwrap(), Some((2,)));
}

#[tokio::test]
async fn a_failing_statement_leaves_its_neighbours_alone() {
    let directory = tempfile::tempdir().unwrap();
    let book = open(directory.path()).await;
    // Enqueued in one poll, so they share a transaction.
    let (before, failing, after) =
        tokio::join!(book.run(note(Some("a"))), book.run(note(None)), book.run(note(Some("b"))));
    before.unwrap();
    let error = failing.unwrap_err().to_string();
    assert!(error.contains("NOT NULL constraint failed: notes.text"), "{error}");
    after.unwrap();
    let notes: Statement<(String,)> = sqlx::query_as("select text from notes order by seq");
    assert_eq!(book.run(notes).await.unwrap(), [("a".to_owned(),), ("b".to_owned(),)]);
}

#[tokio::test]
async fn a_cancelled_caller_does_not_stop_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let book = open(directory.path()).await;
    let never_polled_to_the_end = tokio::spawn({
        let book = book.clone();
        async move { book.run(note(Some("a"))).await }
    });
    never_polled_to_the_end.abort();
    book.run(note(Some("b"))).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.db");
    std::fs::write(&path, "these are not the bytes of a database, whatever their name says")
        .unwrap();
    let error = Book::open(&path, SCHEMA).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("open the database {}: ", path.display())), "{error}");
    assert!(error.contains("not a database"), "{error}");
}
