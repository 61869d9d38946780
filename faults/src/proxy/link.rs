//! One client's connection through the proxy: a thread per direction.
//!
//! The fate of an exchange is decided when its request comes; the thread of the answers is told by
//! a channel, since answers come in the order of the requests. (A Produce without acknowledgement
//! has no answer; such clients are none of the proxy's.)

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::faults::Fault;
use super::{Shared, frames};
use crate::random::Random;

/// How much later than its client's end a late request arrives, at most.
const LATE_MS: u64 = 150;
/// How long a broker's answers are still read when their client is gone.
const DRAIN: Duration = Duration::from_millis(500);

/// What becomes of the next answer.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Pass,
    Drop,
    Cut,
    Delay(Duration),
}

/// Passes frames on until one side ends or a fault cuts the connection.
pub(super) fn run(client: TcpStream, broker: TcpStream, shared: &Shared, random: Random) {
    let _small = client.set_nodelay(true).and(broker.set_nodelay(true));
    let (tell, told) = channel();
    let (Ok(client_out), Ok(broker_in)) = (client.try_clone(), broker.try_clone()) else { return };
    let answers = thread::Builder::new()
        .name("answers".into())
        .spawn(move || answers(broker_in, client_out, &told));
    if answers.is_ok() {
        requests(client, broker, &tell, shared, random);
    }
}

fn requests(
    mut client: TcpStream,
    mut broker: TcpStream,
    tell: &Sender<Fate>,
    shared: &Shared,
    mut random: Random,
) {
    while let Ok(Some(frame)) = frames::read(&mut client) {
        let calm = shared.calm.load(Ordering::SeqCst);
        let fault = shared.rules.decide(frames::api_key(&frame), &mut random);
        let fault = fault.filter(|_| !calm);
        if let Some(fault) = fault {
            shared.counts.add(fault);
        }
        let fate = match fault {
            Some(Fault::CutRequest) => {
                let _partial = broker.write_all(&frame[..frame.len() / 2]);
                break;
            }
            Some(Fault::Late) => {
                let _cut = client.shutdown(Shutdown::Both);
                thread::sleep(random.millis(1..LATE_MS));
                let _late = broker.write_all(&frame);
                let _ends = broker.shutdown(Shutdown::Write);
                return;
            }
            Some(Fault::Drop) => Fate::Drop,
            Some(Fault::Cut) => Fate::Cut,
            Some(Fault::Delay) => Fate::Delay(shared.rules.delay(&mut random)),
            None => Fate::Pass,
        };
        if tell.send(fate).is_err() || broker.write_all(&frame).is_err() {
            break;
        }
    }
    let _cut = client.shutdown(Shutdown::Both);
    // What was passed on whole is still carried out by the broker.
    let _ends = broker.shutdown(Shutdown::Write);
}

fn answers(mut broker: TcpStream, mut client: TcpStream, told: &Receiver<Fate>) {
    while let Ok(Some(frame)) = frames::read(&mut broker) {
        // A request is told of before it is passed on.
        let fate = told.try_recv().unwrap_or(Fate::Pass);
        let passed = match fate {
            Fate::Pass => client.write_all(&frame),
            Fate::Delay(delay) => {
                thread::sleep(delay);
                client.write_all(&frame)
            }
            Fate::Cut => {
                let _partial = client.write_all(&frame[..frame.len() / 2]);
                break;
            }
            Fate::Drop => break,
        };
        if passed.is_err() {
            break;
        }
    }
    let _cut = client.shutdown(Shutdown::Both);
    drain(&mut broker);
    let _ends = broker.shutdown(Shutdown::Both);
}

/// Reads on for a while: a closed socket would make the broker drop requests that it has, and a
/// real network is not so kind as to do that at once.
fn drain(broker: &mut TcpStream) {
    let mut buffer = [0; 4096];
    let _limit = broker.set_read_timeout(Some(DRAIN));
    while matches!(broker.read(&mut buffer), Ok(1..)) {}
}
