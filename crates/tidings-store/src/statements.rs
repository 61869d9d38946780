//! The SQL of each database, a file per statement.

/// Which database a store is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, in a file of the service's own.
    Sqlite,
    /// PostgreSQL 15 or later.
    Postgres,
}

macro_rules! statements {
    ($($name:ident)+) => {
        /// One text per statement, by the name of its file.
        pub(crate) struct Statements {
            $(pub(crate) $name: &'static str,)+
        }

        #[cfg(feature = "crash-points")]
        const NAMES: &[(&str, fn(&Statements) -> &'static str)] =
            &[$((stringify!($name), |all| all.$name),)+];

        static SQLITE: Statements = Statements {
            $($name: include_str!(concat!("sql/sqlite/", stringify!($name), ".sql")),)+
        };

        static POSTGRES: Statements = Statements {
            $($name: include_str!(concat!("sql/postgres/", stringify!($name), ".sql")),)+
        };
    };
}

statements! {
    schema_lock schema_table schema_version schema_applied
    outbox_insert
    inbox_look inbox_look_many inbox_insert inbox_insert_many inbox_settle
    parked_key_lock parked_key_put parked_key_refresh parked_key_drop
    parked_any parked_put parked_head parked_take parked_failed parked_status parked_topics
    parked_redrive parked_waiting parked_there
    drain_claim drain_renew drain_release drain_leave drain_next drain_take_over
    store_id position_list position_put
    relay_seen relay_gone relays_live
    slots_claim slots_renew slots_release slots_held
    backlog_waiting backlog_row backlog_delete backlog_age backlog_count
    held_put held_due held_next held_drop held_count held_list
}

impl Statements {
    /// The file of a statement of ours.
    #[cfg(feature = "crash-points")]
    pub(crate) fn name_of(sql: &str) -> Option<&'static str> {
        let is_it = |all: &Statements, of: fn(&Statements) -> &'static str| of(all) == sql;
        let found = NAMES.iter().find(|(_, of)| is_it(&SQLITE, *of) || is_it(&POSTGRES, *of));
        found.map(|(name, _)| *name)
    }

    pub(crate) fn of(dialect: Dialect) -> &'static Statements {
        match dialect {
            Dialect::Sqlite => &SQLITE,
            Dialect::Postgres => &POSTGRES,
        }
    }
}
