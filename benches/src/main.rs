//! The yardstick of the benchmarks: one bare, tuned librdkafka client, the same against any broker.
//! Each command ends with one line of JSON on standard output.
#![allow(clippy::print_stdout, reason = "the line of JSON is what this program is for")]

mod batch;
mod consume;
mod echo;
mod latency;
mod null_broker;
mod outbox;
mod payload;
mod plain_sender;
mod produce;
mod raw_append;
mod round_trip;
mod service;
mod spread;
mod topic;
mod topics;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Loads a Kafka broker and measures it.
#[derive(Debug, Parser)]
struct Load {
    /// The broker
    #[arg(long, global = true, default_value = "127.0.0.1:9092")]
    bootstrap: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fill a topic as fast as the broker acknowledges
    Produce(produce::Arguments),
    /// Read a topic from its beginning
    Consume(consume::Arguments),
    /// Wait for records at the end of a topic, until ended
    Wait(consume::Arguments),
    /// Time from send to receipt at a steady rate
    Latency(latency::Arguments),
    /// Be librdkafka's mock broker, whose topics are called `null-PARTITIONS`
    NullBroker(null_broker::Arguments),
    /// One request in flight: append, read back, look up
    RoundTrip(round_trip::Arguments),
    /// Create many topics at once
    Topics(topics::Arguments),
    /// Answer pings
    Echo,
    /// Send pings to what `echo` listens on
    PingPong(echo::Arguments),
    /// Append to a file with an fdatasync per batch
    RawAppend(raw_append::Arguments),
    /// Read a topic into memory, then serve it to consumers
    PlainSender(plain_sender::Arguments),
    /// Fill the topic of `read` and `handle` with the library's events
    Fill(service::fill::Arguments),
    /// Read that topic with a bare client
    Read(service::read::Arguments),
    /// Handle that topic by a service
    Handle(service::handle::Arguments),
    /// Handle that topic by a service with a store, or by a loop by hand
    HandleStored(service::stored::Arguments),
    /// Publish by the library or by rdkafka's own producers
    Publish(service::publish::Arguments),
    /// Commit business rows with and without an event beside them
    OutboxWrite(outbox::write::Arguments),
    /// Publish a backlog by a relay
    OutboxDrain(outbox::drain::Arguments),
    /// Time from a commit to the consumer
    OutboxLatency(outbox::latency::Arguments),
    /// Handle slowly, many keys at once, and compare with the ideal schedule
    Keyed(service::keyed::Arguments),
}

fn main() -> ExitCode {
    let load = Load::parse();
    let outcome = match &load.command {
        Command::Produce(arguments) => produce::run(&load.bootstrap, arguments),
        Command::Consume(arguments) => consume::run(&load.bootstrap, arguments),
        Command::Wait(arguments) => consume::wait(&load.bootstrap, arguments),
        Command::Latency(arguments) => latency::run(&load.bootstrap, arguments),
        Command::NullBroker(arguments) => null_broker::run(arguments),
        Command::RoundTrip(arguments) => round_trip::run(&load.bootstrap, arguments),
        Command::Topics(arguments) => topics::run(&load.bootstrap, arguments),
        Command::Echo => echo::serve(),
        Command::PingPong(arguments) => echo::run(&load.bootstrap, arguments),
        Command::RawAppend(arguments) => raw_append::run(arguments),
        Command::PlainSender(arguments) => plain_sender::run(&load.bootstrap, arguments),
        Command::Fill(arguments) => service::fill::run(&load.bootstrap, arguments),
        Command::Read(arguments) => service::read::run(&load.bootstrap, arguments),
        Command::Handle(arguments) => service::handle::run(&load.bootstrap, arguments),
        Command::HandleStored(arguments) => service::stored::run(&load.bootstrap, arguments),
        Command::Publish(arguments) => service::publish::run(&load.bootstrap, arguments),
        Command::OutboxWrite(arguments) => outbox::write::run(arguments),
        Command::OutboxDrain(arguments) => outbox::drain::run(&load.bootstrap, arguments),
        Command::OutboxLatency(arguments) => outbox::latency::run(&load.bootstrap, arguments),
        Command::Keyed(arguments) => service::keyed::run(&load.bootstrap, arguments),
    };
    match outcome {
        Ok(measured) => {
            println!("{measured}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
