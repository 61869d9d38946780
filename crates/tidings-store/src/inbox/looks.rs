//! Many looks in one: whoever asks while a statement is under way is answered by the next one.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::many::as_json;
use super::{Event, Standing, look};
use crate::connection::Value;
use crate::error::StoreError;
use crate::limits::LOOKS_MAX;
use crate::store::Store;

/// The way to the task that looks. It ends with the last of them.
#[derive(Clone, Debug)]
pub struct Looks {
    store: Store,
    to_task: mpsc::UnboundedSender<Asked>,
}

#[derive(Debug)]
struct Asked {
    event: Arc<Event>,
    answer: oneshot::Sender<Standing>,
}

impl Looks {
    /// Starts the task, on the runtime of the caller.
    pub fn start(store: &Store) -> Looks {
        let (to_task, asked) = mpsc::unbounded_channel();
        tokio::spawn(run(store.clone(), asked));
        Looks { store: store.clone(), to_task }
    }

    /// As [`look`].
    pub async fn look(&self, event: &Arc<Event>) -> Result<Standing, StoreError> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { event: Arc::clone(event), answer };
        // Without an answer the statement for many has failed: this one has an error of its own.
        match self.to_task.send(asked).is_ok().then_some(answered) {
            Some(answered) => match answered.await {
                Ok(standing) => Ok(standing),
                Err(_) => look(&self.store, &event.entry(), &event.lane).await,
            },
            None => look(&self.store, &event.entry(), &event.lane).await,
        }
    }
}

async fn run(store: Store, mut asked: mpsc::UnboundedReceiver<Asked>) {
    let mut all = Vec::new();
    while asked.recv_many(&mut all, LOOKS_MAX).await > 0 {
        if let Ok(standings) = look_at(&store, &all).await {
            // Whoever does not wait any more needs no answer.
            all.drain(..).zip(standings).for_each(|(asked, standing)| {
                let _gone = asked.answer.send(standing);
            });
        }
        all.clear();
    }
}

async fn look_at(store: &Store, all: &[Asked]) -> Result<Vec<Standing>, sqlx::Error> {
    let events = as_json(all.iter().map(|asked| &*asked.event));
    let rows = store.read(|sql| sql.inbox_look_many, &[Value::Text(Some(&events))]).await?;
    let mut standings = vec![Standing::New; all.len()];
    for row in rows {
        let number = usize::try_from(row.int(0)?).ok();
        if let Some(standing) = number.and_then(|number| standings.get_mut(number)) {
            *standing = Standing::of(row.int(1)?);
        }
    }
    Ok(standings)
}
