//! The names that the group protocol passes around, each a type of its own so that none is taken
//! for another. They own their text: a slice of a request would keep the whole frame alive.

use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(Arc<str>);

        #[allow(dead_code, reason = "all names have the same face, whoever uses which part")]
        impl $name {
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }

            pub(crate) fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// The name as the codec wants it.
            pub(crate) fn wire(&self) -> StrBytes {
                StrBytes::from_string(self.0.to_string())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(text.into())
            }
        }

        impl From<&StrBytes> for $name {
            fn from(text: &StrBytes) -> Self {
                $name(text.as_str().into())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// A consumer group (`group.id`).
    GroupName
}
name! {
    /// One member of a group, by the id that the coordinator gave it. Empty: it has none yet.
    MemberId
}
name! {
    /// The stable name of a static member (`group.instance.id`, KIP-345).
    InstanceId
}
name! {
    /// A kind of group (`consumer`, `connect`) or one way to divide the work (`range`).
    ProtocolName
}
