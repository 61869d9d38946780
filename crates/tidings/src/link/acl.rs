//! What an authorizer refuses: who, what, and the line that would allow it.

use std::fmt;

use super::security::Security;

/// Something that an authorizer may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act<'a> {
    /// Publishing to this topic.
    Write(&'a str),
    /// Publishing to any topic: asked for before the first event.
    WriteAny,
    /// Reading this topic.
    Read(&'a str),
    /// Reading one of these topics; the broker does not say which.
    ReadOneOf(&'a [&'a str]),
    /// Knowing about this topic.
    Describe(&'a str),
    /// Creating this topic.
    Create(&'a str),
    /// Deleting this topic.
    Delete(&'a str),
    /// Reading this topic's settings.
    DescribeConfigs(&'a str),
    /// Being a member of this group, and committing in its name.
    Join(&'a str),
    /// Knowing about this group.
    DescribeGroup(&'a str),
    /// Knowing about the cluster, such as which groups there are.
    DescribeCluster,
}

/// The broker does not allow it: a sentence with the line that would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAllowed {
    /// Who may not do what.
    pub what: String,
    /// The arguments of Kafka's `kafka-acls` that would allow it.
    pub acl: String,
}

impl Act<'_> {
    fn words(&self) -> String {
        match self {
            Act::Write(topic) => format!("write to the topic {topic}"),
            Act::WriteAny => "write to any topic".to_owned(),
            Act::Read(topic) => format!("read the topic {topic}"),
            Act::ReadOneOf(topics) => format!("read one of the topics {}", topics.join(", ")),
            Act::Describe(topic) => format!("see the topic {topic}"),
            Act::Create(topic) => format!("create the topic {topic}"),
            Act::Delete(topic) => format!("delete the topic {topic}"),
            Act::DescribeConfigs(topic) => format!("see the settings of the topic {topic}"),
            Act::Join(group) => format!("be in the group {group}"),
            Act::DescribeGroup(group) => format!("see the group {group}"),
            Act::DescribeCluster => "see the cluster".to_owned(),
        }
    }

    /// The operation and its resource, as `kafka-acls` takes them.
    fn rule(&self) -> String {
        match self {
            Act::Write(topic) => format!("--operation Write --topic {topic}"),
            Act::WriteAny => "--operation Write --topic TOPIC".to_owned(),
            Act::Read(topic) => format!("--operation Read --topic {topic}"),
            Act::ReadOneOf(topics) => {
                format!("--operation Read --topic {}", topics.join(" --topic "))
            }
            Act::Describe(topic) => format!("--operation Describe --topic {topic}"),
            Act::Create(topic) => format!("--operation Create --topic {topic}"),
            Act::Delete(topic) => format!("--operation Delete --topic {topic}"),
            Act::DescribeConfigs(topic) => format!("--operation DescribeConfigs --topic {topic}"),
            Act::Join(group) => format!("--operation Read --group {group}"),
            Act::DescribeGroup(group) => format!("--operation Describe --group {group}"),
            Act::DescribeCluster => "--operation Describe --cluster".to_owned(),
        }
    }
}

impl Security {
    pub(super) fn not_allowed(&self, act: Act<'_>) -> NotAllowed {
        let (who, principal) = match (self.is_sasl(), self.is_tls()) {
            (true, _) => {
                let name = self.username.value();
                (format!("the user `{name}` ({})", self.username.name()), name.to_owned())
            }
            (false, true) => {
                let who = "the subject of this client's certificate".to_owned();
                (format!("{who} ({})", self.certificate.name()), "SUBJECT".to_owned())
            }
            (false, false) => {
                ("a client without a user (`security.protocol`)".to_owned(), "ANONYMOUS".to_owned())
            }
        };
        NotAllowed {
            what: format!("{} does not allow {who} to {}", self.bootstrap, act.words()),
            acl: format!("--add --allow-principal User:{principal} {}", act.rule()),
        }
    }
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; an administrator allows it with: kafka-acls {}", self.what, self.acl)
    }
}
