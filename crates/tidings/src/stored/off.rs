//! No database, no store: nothing here has a value.

use super::{Beside, Mark, Settled};
use crate::fail::Fail;
use crate::handler::Ended;

#[derive(Clone)]
pub(crate) enum Stored {}

pub(crate) enum Unit {}

/// A unit while the handler may hold it.
pub(crate) enum Held {}

/// A relay at work.
pub(crate) enum Relaying {}

impl Relaying {
    pub(crate) async fn stop(self) {
        match self {}
    }
}

impl Stored {
    pub(crate) fn database(&self) -> &'static str {
        match *self {}
    }

    pub(crate) async fn open(&self) -> crate::Result<()> {
        match *self {}
    }

    pub(crate) fn relay(&self, _: Beside) -> crate::Result<Relaying> {
        match *self {}
    }

    pub(crate) async fn knows(&self, _: &Mark) -> Result<bool, Fail> {
        match *self {}
    }

    pub(crate) async fn settle(&self, _: Ended, _: &Mark, _: &str) -> Result<Settled, Fail> {
        match *self {}
    }
}

impl Held {
    pub(crate) fn back(self, _: &str) -> Result<Unit, Fail> {
        match self {}
    }
}
