//! Creates the topics that are published to, once each, when the settings ask for it.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use super::PublishError;
use crate::admin::Admin;
use crate::config::Settings;

/// Topics that are known to exist.
pub(super) struct Topics {
    settings: Settings,
    known: RwLock<HashSet<String>>,
    creating: tokio::sync::Mutex<Option<Admin>>,
}

impl Topics {
    pub(super) fn new(settings: &Settings) -> Topics {
        Topics {
            settings: settings.clone(),
            known: RwLock::default(),
            creating: tokio::sync::Mutex::default(),
        }
    }

    /// Is nothing to be done for this topic? The answer costs a read lock and a hash.
    pub(super) fn is_ready(&self, topic: &str) -> bool {
        !self.settings.create_topics()
            || self.known.read().unwrap_or_else(PoisonError::into_inner).contains(topic)
    }

    /// Creates it if it is missing. Callers that come meanwhile wait for the first.
    pub(super) async fn ensure(&self, topic: &str) -> Result<(), PublishError> {
        let mut admin = self.creating.lock().await;
        if self.is_ready(topic) {
            return Ok(());
        }
        if admin.is_none() {
            *admin = Some(Admin::new(&self.settings).map_err(Box::new)?);
        }
        if let Some(admin) = admin.as_ref() {
            admin.ensure([topic]).await.map_err(Box::new)?;
        }
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned());
        Ok(())
    }
}
