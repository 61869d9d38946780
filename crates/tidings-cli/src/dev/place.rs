//! Where the shop keeps what it has: a directory or schemas, kept or removed at the end, and the
//! files of the bank.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tidings::progress::Progress;

use super::DevArgs;
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::{Failure, causes};
use crate::group;

/// Where the services keep their databases.
pub struct Place {
    pub directory: PathBuf,
    /// Removed with all that is in it when the command ends.
    temporary: Option<TempDir>,
}

impl Place {
    /// As the command was asked.
    pub fn of(args: &DevArgs) -> Result<Self, Failure> {
        let cannot = |error| Failure::new(format!("cannot make a directory for the shop: {error}"));
        match &args.data {
            Some(data) => {
                let directory = data.join("shop");
                std::fs::create_dir_all(&directory).map_err(cannot)?;
                Ok(Self { directory, temporary: None })
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("tidings-shop-").tempdir();
                let temporary = temporary.map_err(cannot)?;
                let directory = temporary.path().to_owned();
                Ok(Self { directory, temporary: Some(temporary) })
            }
        }
    }
}

impl Place {
    /// Schemas on a PostgreSQL tell of events on another broker, unless the broker's data is kept
    /// beside them.
    pub async fn refuse_what_is_left(&self, env: &shop::Env) -> Result<(), Failure> {
        let found = shop::schemas(env).await.map_err(|error| cannot_read(&error))?;
        if found.is_empty() || self.temporary.is_none() {
            return Ok(());
        }
        let schemas = found.join(", ");
        Err(Failure::new(format!("the PostgreSQL has schemas of an earlier shop: {schemas}"))
            .help("go on with its data:  --data DIR, as it was started then")
            .help(format!("or start anew, in psql:  drop schema {schemas} cascade")))
    }

    /// Groups on a broker that is kept have worked with stores that are gone: new ones do not know
    /// what was done, and each partition would stand still.
    pub async fn refuse_groups(&self, env: &shop::Env, global: &Global) -> Result<(), Failure> {
        if self.temporary.is_none() || !env.store.is_once() {
            return Ok(());
        }
        let global = global.clone();
        let looked = tokio::task::spawn_blocking(move || groups_with_a_store(&global));
        let cannot = |error| Failure::new(format!("cannot ask for the shop's groups: {error}"));
        let groups = looked.await.map_err(cannot)??;
        if groups.is_empty() {
            return Ok(());
        }
        Err(Failure::new("the broker has groups of an earlier shop, and its stores are gone")
            .because(format!("groups: {}", groups.join(", ")))
            .help("on a broker that is kept, keep the stores from the first run on:  --data DIR")
            .help("or sell without stores, where effects may be made twice:  --store none"))
    }

    /// What was not meant to be kept goes: the directory by itself, schemas here.
    pub async fn clear(self, env: &shop::Env) -> Result<(), Failure> {
        match self.temporary {
            Some(_) => shop::drop_schemas(env).await.map_err(|error| cannot_read(&error)),
            None => Ok(()),
        }
    }
}

/// The services whose groups have worked with a store, as their commits tell. Blocks.
fn groups_with_a_store(global: &Global) -> Result<Vec<&'static str>, Failure> {
    let cluster = Cluster::connect(global)?;
    let mut groups = Vec::new();
    for &service in shop::SERVICES {
        let committed = group::committed(&cluster, &cluster.member_of(service)?, service)?;
        let names_a_store = |(offset, metadata): &(Option<i64>, String)| {
            let progress = offset.and_then(|offset| Progress::decode(metadata, offset).ok());
            progress.is_some_and(|progress| progress.store.is_some())
        };
        if committed.values().any(names_a_store) {
            groups.push(service);
        }
    }
    Ok(groups)
}

/// The bank that payments asks, as it was asked for.
pub fn open_bank(args: &DevArgs, env: &shop::Env) -> Result<shop::Bank, Failure> {
    if args.bank_poison && !args.store.is_once() {
        return Err(Failure::usage("--bank-poison needs a store: without one the orders are lost")
            .help("leave --store none out, or --bank-poison"));
    }
    let bank = shop::Bank::beside(&env.data_dir);
    let made = bank.open().and_then(|()| {
        if let Some(seconds) = args.bank_down {
            bank.plan_outage(Duration::from_secs(seconds))?;
        }
        if args.bank_poison { bank.spoil_cards() } else { Ok(()) }
    });
    made.map_err(|error| Failure::new(format!("cannot write the files of the bank: {error}")))?;
    Ok(bank)
}

/// A failure of the shop's databases.
pub fn cannot_read(error: &shop::BookError) -> Failure {
    Failure::new("cannot read the shop's databases").because(causes(error))
}
