//! A shop in a directory of its own, on a broker of its own, for one test.

use std::collections::BTreeMap;
use std::time::Duration;

use shop::{Env, Progress, Rate, SERVICES, StoreKind, Summary};
use tidings::test::Broker;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// How long a whole run may take before the test gives it up.
const DEADLINE: Duration = Duration::from_secs(60);

pub struct Shop {
    pub broker: Broker,
    pub env: Env,
    services: BTreeMap<&'static str, JoinHandle<Result<(), shop::Error>>>,
    _directory: tempfile::TempDir,
}

impl Shop {
    /// A shop with stores that has sold nothing yet and whose services do not run.
    pub async fn closed(orders: u32) -> Shop {
        Shop::closed_with(StoreKind::Sqlite, orders).await
    }

    pub async fn closed_with(store: StoreKind, orders: u32) -> Shop {
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::start().await;
        let env = Env {
            store,
            rate: Rate::Max,
            orders: Some(orders),
            ..Env::new(broker.bootstrap(), directory.path())
        };
        Shop { broker, env, services: BTreeMap::new(), _directory: directory }
    }

    /// The same, with all services running.
    pub async fn open(orders: u32) -> Shop {
        Shop::open_with(StoreKind::Sqlite, orders).await
    }

    pub async fn open_with(store: StoreKind, orders: u32) -> Shop {
        let mut shop = Shop::closed_with(store, orders).await;
        for service in SERVICES {
            shop.start(service);
        }
        shop
    }

    pub fn start(&mut self, service: &'static str) {
        let env = self.env.clone();
        let running = tokio::spawn(async move {
            shop::run_service_until(service, &env, std::future::pending()).await
        });
        assert!(self.services.insert(service, running).is_none(), "{service} runs already");
    }

    /// Ends a service between two instructions, as a kill does: nothing is committed or said.
    pub async fn kill(&mut self, service: &'static str) {
        let running = self.services.remove(service).expect("it runs");
        running.abort();
        assert!(running.await.is_err_and(|ended| ended.is_cancelled()), "{service} had ended");
    }

    /// Waits until the shop is as far as `enough` says.
    pub async fn reaches(&mut self, enough: impl Fn(Progress) -> bool) {
        self.until(async |shop| enough(shop::progress(&shop.env).await.unwrap())).await;
    }

    /// Waits for `condition`, as long as all services run.
    pub async fn until(&mut self, condition: impl AsyncFn(&Shop) -> bool) {
        let start = Instant::now();
        while !condition(self).await {
            for (name, running) in &mut self.services {
                if running.is_finished() {
                    panic!("{name} has ended: {:?}", running.await);
                }
            }
            if start.elapsed() > DEADLINE {
                let progress = shop::progress(&self.env).await;
                panic!("no further than {progress:?}; {:#?}", self.summary().await);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every order has ended and everyone was told.
    pub async fn finishes(&mut self) -> Summary {
        let expected = self.env.expected_orders();
        self.reaches(|progress| progress.is_done(expected)).await;
        self.summary().await
    }

    pub async fn summary(&self) -> Summary {
        shop::summary(&self.env, &BTreeMap::new()).await.unwrap()
    }
}
