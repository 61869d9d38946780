//! `tidings topic create TOPIC`: a new topic with its partitions and settings.

use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;
use serde_json::json;
use tidings::link::Act;

use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::{limits, runtime, settings};

/// Flags of `tidings topic create`.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// The topic's name
    topic: String,
    /// How many partitions; the broker's default when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many copies; the broker's default when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    replication: Option<i32>,
    /// A setting of the topic, such as retention.ms=3600000; may be repeated
    #[arg(long = "config", value_name = "NAME=VALUE")]
    configs: Vec<String>,
    /// Ask the broker whether it would, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Creates the topic.
pub fn run(args: &CreateArgs, global: &Global, _screen: &Screen) -> Result<(), Failure> {
    let configs = args
        .configs
        .iter()
        .map(|text| settings::name_and_value(text, "--config"))
        .collect::<Result<Vec<_>, _>>()?;
    let mut cluster = Cluster::connect(global)?;
    let admin = cluster.admin()?;
    // -1 leaves the number to the broker (KIP-464).
    let replication = TopicReplication::Fixed(args.replication.unwrap_or(-1));
    let mut topic = NewTopic::new(&args.topic, args.partitions.unwrap_or(-1), replication);
    for (name, value) in &configs {
        topic = topic.set(name, value);
    }
    let options = AdminOptions::new()
        .request_timeout(Some(limits::ADMIN_TIMEOUT))
        .operation_timeout(Some(limits::ADMIN_TIMEOUT))
        .validate_only(args.dry_run);
    let answers = runtime::block_on(admin.create_topics([&topic], &options))?
        .map_err(|error| cluster.no_answer_to(&error, Act::Create(&args.topic)))?;
    for answer in answers {
        answer.map_err(|(name, code)| {
            let not_allowed = cluster.refused_code(code, Act::Create(&name));
            not_allowed.unwrap_or_else(|| refused(&name, code))
        })?;
    }
    let partitions = match args.dry_run {
        true => args.partitions,
        false => {
            cluster.refresh()?;
            cluster.topics().get(&args.topic).copied().or(args.partitions)
        }
    };
    if args.json {
        return output::json(
            json!({"topic": args.topic, "partitions": partitions, "dry_run": args.dry_run}),
        );
    }
    let count = partitions.map_or(String::new(), |count| {
        format!(" with {}", output::counted(count.into(), "partition"))
    });
    let verb = if args.dry_run { "would create" } else { "created" };
    output::line(&format!("{verb} {}{count}", args.topic))
}

fn refused(topic: &str, code: RDKafkaErrorCode) -> Failure {
    let failure = Failure::new(format!("cannot create `{topic}`"));
    match code {
        RDKafkaErrorCode::TopicAlreadyExists => {
            Failure::new(format!("the topic `{topic}` exists already"))
                .help(format!("see it:  tidings topic show {topic}"))
        }
        RDKafkaErrorCode::InvalidTopic => {
            failure.because("a name has 1 to 249 letters, digits, dots, underscores and hyphens")
        }
        RDKafkaErrorCode::InvalidReplicationFactor => {
            failure.because("there are fewer brokers than copies asked for")
        }
        RDKafkaErrorCode::InvalidConfig => {
            failure.because("the broker does not take one of the settings given by --config")
        }
        code => failure.because(code),
    }
}
