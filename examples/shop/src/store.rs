//! What keeps the services' effects together with the events that come of them: `--store`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::Error;

const SETTING: &str = "SHOP_STORE";

/// Whether the services handle with a store of the library's, and where it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// A SQLite file for each service: every effect once for each event.
    #[default]
    Sqlite,
    /// A schema for each service on this PostgreSQL, by its URL: the same.
    Postgres(String),
    /// A SQLite file for each service and no store: effects at least once for each event.
    None,
}

/// Where the database of one service is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// A SQLite file.
    File(PathBuf),
    /// A schema on a PostgreSQL.
    Schema { url: String, name: String },
}

impl StoreKind {
    /// Whether an event that comes again must not have its effect again.
    pub fn is_once(&self) -> bool {
        *self != StoreKind::None
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreKind::Sqlite => "sqlite",
            StoreKind::Postgres(url) => url,
            StoreKind::None => "none",
        })
    }
}

/// Without the URL: it may hold a password.
impl fmt::Debug for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreKind::Sqlite => "Sqlite",
            StoreKind::Postgres(_) => "Postgres(..)",
            StoreKind::None => "None",
        })
    }
}

impl FromStr for StoreKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<StoreKind, Error> {
        match text {
            "sqlite" => Ok(StoreKind::Sqlite),
            "none" => Ok(StoreKind::None),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(StoreKind::Postgres(url.to_owned()))
            }
            _ => {
                let should =
                    "it should be `sqlite`, `none` or `postgres://USER:PASSWORD@HOST/NAME`";
                Err(Error::setting(SETTING, text, should))
            }
        }
    }
}

/// By name only: the URL may hold a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::File(path) => write!(f, "{}", path.display()),
            Database::Schema { name, .. } => write!(f, "schema {name} on PostgreSQL"),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_in_one_word() {
        for text in ["sqlite", "none", "postgres://u@h/d", "postgresql://u@h/d"] {
            assert_eq!(text.parse::<StoreKind>().unwrap().to_string(), text);
        }
        let error = "mysql://h".parse::<StoreKind>().unwrap_err().to_string();
        assert_eq!(
            error,
            "SHOP_STORE is `mysql://h`: it should be `sqlite`, `none` or \
             `postgres://USER:PASSWORD@HOST/NAME`"
        );
    }

    #[test]
    fn a_password_is_not_told() {
        let store: StoreKind = "postgres://u:hush@h/d".parse().unwrap();
        assert_eq!(format!("{store:?}"), "Postgres(..)");
        let database = Database::Schema { url: store.to_string(), name: "shop_orders".to_owned() };
        assert_eq!(format!("{database:?}"), "Database(schema shop_orders on PostgreSQL)");
    }
}
