//! The wish to stop, which every task can wait for.

use tokio::sync::watch;

/// Asks all holders of the matching [`Stop`] to end.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<bool>);

/// Tells when to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// A pair of the two.
pub(crate) fn pair() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    pub(crate) fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns once stopping was asked for, or the asker is gone. May be dropped at any time.
    pub(crate) async fn requested(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
