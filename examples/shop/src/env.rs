//! What a service of the shop needs to know to run, and how it travels to a child process: in
//! environment variables, so that a service's command line stays one word.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use crate::limits::RATE_LIMIT_PER_SECOND;
use crate::store::{Database, StoreKind};
use crate::{Error, purchases};

const BOOTSTRAP: &str = "TIDINGS_BOOTSTRAP";
const DATA_DIR: &str = "SHOP_DATA_DIR";
const RATE: &str = "SHOP_RATE";
const ORDERS: &str = "SHOP_ORDERS";
const STORE: &str = "SHOP_STORE";

/// Where the shop runs and how much it sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// `HOST:PORT` of the Kafka broker.
    pub bootstrap: String,
    /// The directory with one SQLite file per service, unless they are on PostgreSQL.
    pub data_dir: PathBuf,
    /// Whether the services handle with a store, and where it is.
    pub store: StoreKind,
    /// How fast orders are placed.
    pub rate: Rate,
    /// How many orders are placed in all, `None` for the whole sample once. More than the sample
    /// has start again at its first purchase.
    pub orders: Option<u32>,
}

impl Env {
    /// A store on SQLite, the default pace, and the whole sample.
    pub fn new(bootstrap: impl Into<String>, data_dir: impl Into<PathBuf>) -> Env {
        Env {
            bootstrap: bootstrap.into(),
            data_dir: data_dir.into(),
            store: StoreKind::default(),
            rate: Rate::default(),
            orders: None,
        }
    }

    /// The environment variables that tell a child process the same.
    pub fn vars(&self) -> Vec<(&'static str, String)> {
        let mut vars = vec![
            (BOOTSTRAP, self.bootstrap.clone()),
            (DATA_DIR, self.data_dir.display().to_string()),
            (STORE, self.store.to_string()),
            (RATE, self.rate.to_string()),
        ];
        vars.extend(self.orders.map(|orders| (ORDERS, orders.to_string())));
        vars
    }

    /// Reads what [`vars`](Env::vars) wrote; `var` looks a variable up.
    ///
    /// # Errors
    /// When a variable is missing or does not say what it should.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Env, Error> {
        let needed = |name: &'static str| var(name).ok_or(Error::Missing { name });
        let mut env = Env::new(needed(BOOTSTRAP)?, needed(DATA_DIR)?);
        if let Some(store) = var(STORE) {
            env.store = store.parse()?;
        }
        if let Some(rate) = var(RATE) {
            env.rate = rate.parse()?;
        }
        if let Some(orders) = var(ORDERS) {
            let count = orders.parse().map_err(|_| {
                Error::setting(ORDERS, &orders, "it should be a whole number of orders")
            })?;
            env.orders = Some(count);
        }
        Ok(env)
    }

    /// How many orders will have been placed in the end.
    pub fn expected_orders(&self) -> u32 {
        self.orders.unwrap_or(purchases::SAMPLE_LINES)
    }

    /// The database of one service.
    pub(crate) fn database(&self, service: &str) -> Database {
        match &self.store {
            StoreKind::Sqlite | StoreKind::None => {
                Database::File(self.data_dir.join(format!("{service}.db")))
            }
            StoreKind::Postgres(url) => {
                Database::Schema { url: url.clone(), name: format!("shop_{service}") }
            }
        }
    }
}

/// How fast orders are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// So many orders in a second, evenly spaced.
    PerSecond(NonZeroU32),
    /// As fast as the broker takes them.
    Max,
}

impl Default for Rate {
    fn default() -> Rate {
        const TWENTY: NonZeroU32 = NonZeroU32::new(20).expect("20 is not zero");
        Rate::PerSecond(TWENTY)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::PerSecond(orders) => write!(f, "{orders}"),
            Rate::Max => f.write_str("max"),
        }
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rate, Error> {
        if text == "max" {
            return Ok(Rate::Max);
        }
        match text.parse::<NonZeroU32>() {
            Ok(orders) if orders.get() <= RATE_LIMIT_PER_SECOND => Ok(Rate::PerSecond(orders)),
            _ => Err(Error::setting(
                RATE,
                text,
                format!("it should be orders per second, 1 to {RATE_LIMIT_PER_SECOND}, or `max`"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_survives_the_way_to_a_child() {
        for (rate, orders, store) in [
            ("20", None, "sqlite"),
            ("1", Some(0), "none"),
            ("max", Some(6_919), "postgres://user:word@host/name"),
        ] {
            let (rate, store) = (rate.parse().unwrap(), store.parse().unwrap());
            let env = Env { rate, orders, store, ..Env::new("host:9092", "/data") };
            let vars = env.vars();
            let read = Env::from_vars(|name| {
                vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
            });
            assert_eq!(read.unwrap(), env);
        }
    }

    #[test]
    fn a_bad_setting_is_named() {
        for (name, value, text) in [
            (RATE, "0", "SHOP_RATE is `0`: it should be orders per second, 1 to 100000, or `max`"),
            (
                RATE,
                "fast",
                "SHOP_RATE is `fast`: it should be orders per second, 1 to 100000, or `max`",
            ),
            (ORDERS, "-1", "SHOP_ORDERS is `-1`: it should be a whole number of orders"),
        ] {
            let read = Env::from_vars(|asked| {
                if asked == name {
                    Some(value.to_owned())
                } else {
                    [BOOTSTRAP, DATA_DIR, RATE].contains(&asked).then(|| "20".to_owned())
                }
            });
            assert_eq!(read.unwrap_err().to_string(), text);
        }
        let missing = Env::from_vars(|_| None).unwrap_err().to_string();
        assert_eq!(missing, "TIDINGS_BOOTSTRAP is not set");
    }
}
