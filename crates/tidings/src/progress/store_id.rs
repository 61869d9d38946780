//! The id of a service's store, as a commit names it.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Which store the instance had that wrote a commit: a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreId(pub(super) [u8; 16]);

/// A text that is no UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a store: it should be a UUID")]
pub struct InvalidStoreId(String);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl FromStr for StoreId {
    type Err = InvalidStoreId;

    fn from_str(text: &str) -> Result<StoreId, InvalidStoreId> {
        let id = Uuid::try_parse(text).map_err(|_| InvalidStoreId(text.to_owned()))?;
        Ok(StoreId(id.into_bytes()))
    }
}
