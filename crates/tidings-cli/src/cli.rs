//! The tree of commands: names and flags as scripts rely on them. Each command's own flags stand in
//! the command's file.

use clap::{Args, Parser, Subcommand};

use crate::{broker, completions, config, dev, dlq, event, flow, group, new, shop_service, topic};

/// Services that talk only through events: a broker, a demo and what looks after them.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Start with:  tidings dev --demo shop")]
pub struct Cli {
    /// Settings of the Kafka client, for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// The broker: the embedded one or any Kafka [env: TIDINGS_BOOTSTRAP] [default: 127.0.0.1:9092]
    #[arg(long, global = true, value_name = "HOST:PORT", help_heading = "Kafka client")]
    pub bootstrap: Option<String>,
    /// A further setting of the Kafka client by its dotted name; may be repeated
    #[arg(short = 'X', global = true, value_name = "NAME=VALUE", help_heading = "Kafka client")]
    pub settings: Vec<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a broker, and the demo shop, in one terminal
    Dev(dev::DevArgs),
    /// Run the embedded broker alone, or check its files
    Broker(broker::BrokerArgs),
    /// Publish, watch and find events
    #[command(subcommand)]
    Event(event::EventCommand),
    /// List, show, count and republish dead letters
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// Show all that one event caused and was caused by
    Flow(flow::FlowArgs),
    /// List, show, create and delete topics
    #[command(subcommand)]
    Topic(topic::TopicCommand),
    /// List, show and move consumer groups
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Show the settings and where each comes from
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Make a new service: a crate that compiles, runs and has a test
    New(new::NewArgs),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// One service of the demo, started by `tidings dev`
    #[command(hide = true)]
    ShopService(shop_service::ShopServiceArgs),
}
