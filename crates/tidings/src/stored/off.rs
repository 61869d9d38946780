//! No database, no store: nothing here has a value.

use std::future::Ready;
use std::sync::Arc;

use super::{Acting, Beside, Position};
use crate::fail::Fail;
use crate::lanes::attempt::Stage;
use crate::lanes::{End, Group, Job};
use crate::progress::StoreId;

#[derive(Clone)]
pub(crate) enum Stored {}

pub(crate) enum Unit {}

/// How an attempt gets its unit.
pub(crate) enum Door {}

/// A unit while the handler may hold it.
pub(crate) enum Held {}

/// A task at work beside the handlers.
pub(crate) enum Companion {}

impl Companion {
    pub(crate) fn tell(&mut self) {
        match *self {}
    }

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

    pub(crate) fn relay(&self, _: Beside) -> crate::Result<Companion> {
        match *self {}
    }

    pub(crate) async fn id(&self) -> crate::Result<StoreId> {
        match *self {}
    }

    pub(crate) fn positions(&self, _: String) -> Ready<Result<Vec<Position>, String>> {
        match *self {}
    }

    pub(crate) fn keep_positions(
        &self,
        _: String,
        _: Vec<Position>,
    ) -> Ready<Result<bool, String>> {
        match *self {}
    }

    pub(crate) fn drain(&self, _: &Arc<Group>, _: Option<&str>) -> Companion {
        match *self {}
    }

    pub(crate) fn act(&self, _: Acting) -> Companion {
        match *self {}
    }

    pub(crate) async fn pursue(&self, _: &Arc<Group>, _: &Job, _: Stage) -> End {
        match *self {}
    }

    pub(crate) async fn drain_now(&self, _: &Arc<Group>) -> crate::Result<()> {
        match *self {}
    }

    pub(crate) async fn redrive_now(&self, _: &Arc<Group>) -> crate::Result<()> {
        match *self {}
    }
}

impl Held {
    pub(crate) fn back(self, _: &str) -> Result<Unit, Fail> {
        match self {}
    }
}
