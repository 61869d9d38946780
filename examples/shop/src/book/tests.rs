//! A book on a store, and one that cannot be opened.

use super::*;

const SCHEMA: Schema = Schema {
    sqlite: "create table if not exists notes (seq integer primary key, text text not null);",
    postgres: "",
};

fn note(text: &str) -> Statement {
    Statement::new("insert into notes (text) values ($1) returning text").bind(text)
}

async fn notes(book: &Book) -> Vec<(String,)> {
    book.run(Statement::new("select text from notes order by seq")).await.unwrap()
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::File(directory.path().join("notes.db"));
    let book = Book::open(&database, SCHEMA, true).await.unwrap();
    let mut dropped = book.begin().await.unwrap();
    dropped.run::<(String,)>(note("a")).await.unwrap();
    drop(dropped);
    let mut committed = book.begin().await.unwrap();
    committed.run::<(String,)>(note("b")).await.unwrap();
    committed.commit().await.unwrap();
    assert_eq!(notes(&book).await, [("b".to_owned(),)]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.db");
    std::fs::write(&path, "these are not the bytes of a database, whatever their name says")
        .unwrap();
    let opened = Book::open(&Database::File(path.clone()), SCHEMA, true).await;
    let error = opened.unwrap_err().to_string();
    assert!(error.starts_with(&format!("open the database {}: ", path.display())), "{error}");
    assert!(error.contains("not a database"), "{error}");
}
