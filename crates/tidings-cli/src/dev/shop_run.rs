//! The shop from its first order to its last: starts its services, shows what they do, and with
//! `--exit` waits until every order is in a final state and adds up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::ZonedDateTime;
use tidings::admin::Admin;
use tidings::config::{Origin, Settings};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::banner;
use super::meter::{Meter, Notes};
use super::place::{Place, cannot_read, open_bank};
use super::screen::Live;
use super::settle::settle;
use super::sources::{Lag, Newest};
use super::supervisor::{News, Recipe, Supervisor};
use super::{DevArgs, Ground, scrape, table};
use crate::cli::Global;
use crate::cluster::Cluster;
use crate::failure::{Exit, Failure};
use crate::output::{self, Screen};
use crate::{limits, settings, signals};

/// The purchases of the built-in sample: what is placed when no number is given.
const SAMPLE_ORDERS: u32 = 6_919;

/// The exit code of a service that the broker refuses.
const REFUSED: i32 = Exit::NotAllowed as i32;

/// Runs the shop.
pub async fn run(
    args: &DevArgs,
    global: &Global,
    screen: &Screen,
    ground: &Ground,
    mut stop: signals::Stop,
) -> Result<(), Failure> {
    let global = Global { bootstrap: Some(ground.bootstrap.clone()), ..global.clone() };
    let settings = settings::load(&global)?;
    create_topics(&settings).await?;
    let place = Place::of(args)?;
    let mut env = shop::Env::new(&ground.bootstrap, &place.directory);
    env.store = args.store.clone();
    env.rate = args.rate;
    env.orders = args.orders;
    place.refuse_what_is_left(&env).await?;
    if ground.broker.is_none() {
        place.refuse_groups(&env, &global).await?;
    }
    let bank = open_bank(args, &env)?;
    let (news, heard) = mpsc::channel(limits::NEWS_WAITING);
    let recipe = recipe(&env, &settings)?;
    let supervisor = Supervisor::start(shop::SERVICES, &recipe, &news);
    drop(news);
    let is_live = screen.terminal && !args.exit;
    let mut show = Show::new(args, &global, screen, heard, is_live);
    let watched = show.run(ground, &env, &bank, &mut stop).await;
    tokio::select! {
        () = supervisor.shut_down() => {}
        // A second signal ends at once: the services are killed with the runtime.
        () = stop.next() => {
            return Err(Failure::new("stopped without waiting").exit(Exit::Interrupted));
        }
    }
    let settled = match watched {
        Ok(Ended::Interrupted) if is_live => Ok(()),
        Ok(ended) => settle(&global, screen, &env, ended, args).await,
        Err(failure) => Err(failure),
    };
    settled.and(place.clear(&env).await)
}

/// Made before the services start, so that they can be watched from the first event on.
async fn create_topics(settings: &Settings) -> Result<(), Failure> {
    let cannot = |error| Failure::of(&tidings::Error::Admin(error));
    let admin = Admin::new(settings).map_err(cannot)?;
    admin.ensure(shop::TOPICS.iter().copied()).await.map_err(cannot)?;
    Ok(())
}

/// What every service is started with: the shop's variables, and the client's settings as they were
/// given to this command.
fn recipe(env: &shop::Env, settings: &Settings) -> Result<Recipe, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find this program itself: {error}")))?;
    let mut variables: Vec<(String, String)> =
        env.vars().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let fixed = [
        ("TIDINGS_HTTP", "127.0.0.1:0"),
        ("TIDINGS_LOG", "json"),
        ("TIDINGS_CREATE_TOPICS", "true"),
    ];
    variables.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for setting in settings.show() {
        let given = matches!(setting.origin, Origin::Flag(_));
        if let Some(name) = setting.name.strip_prefix("kafka.").filter(|_| given) {
            let variable = format!("TIDINGS_KAFKA_{}", name.replace('.', "_").to_uppercase());
            variables.push((variable, settings.client().get(name).unwrap_or("").to_owned()));
        }
    }
    Ok(Recipe { program, variables })
}

/// How the watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A signal.
    Interrupted,
    /// All orders are in a final state.
    Through,
}

/// What is shown while the shop runs.
struct Show<'a> {
    args: &'a DevArgs,
    global: &'a Global,
    screen: &'a Screen,
    news: mpsc::Receiver<News>,
    meters: Vec<Meter>,
    notes: Notes,
    live: Option<Live>,
    /// The last trouble of each service.
    last_said: HashMap<&'static str, String>,
}

impl<'a> Show<'a> {
    fn new(
        args: &'a DevArgs,
        global: &'a Global,
        screen: &'a Screen,
        news: mpsc::Receiver<News>,
        is_live: bool,
    ) -> Self {
        Self {
            args,
            global,
            screen,
            news,
            meters: shop::SERVICES.iter().map(|name| Meter::new(name)).collect(),
            notes: Notes::default(),
            live: is_live.then(Live::begin),
            last_said: HashMap::new(),
        }
    }

    async fn run(
        &mut self,
        ground: &Ground,
        env: &shop::Env,
        bank: &shop::Bank,
        stop: &mut signals::Stop,
    ) -> Result<Ended, Failure> {
        // Without what is not known by then.
        let _late = timeout(limits::BANNER_WAIT, self.first_starts()).await;
        let payments = self.meters.iter().find(|meter| meter.name == "payments");
        let banner = banner::shop(self.args, ground, payments, bank, self.screen);
        match self.live {
            Some(_) => output::print(&banner)?,
            None => output::note(banner.trim_end()),
        }
        let (newest, lags) = self.sources().await?;
        let mut draw = interval(limits::REDRAW_EVERY);
        draw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(limits::LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lags = Some(lags);
        let (tell_lag, mut lag_told) = mpsc::channel(1);
        loop {
            tokio::select! {
                () = stop.next() => return Ok(Ended::Interrupted),
                Some(news) = self.news.recv() => {
                    self.hear(&news);
                    // Starting it again would not help, and with --exit nobody is there to see it.
                    if let News::Ended { name, code: Some(REFUSED), .. } = news && self.args.exit {
                        return Err(self.refused(name));
                    }
                }
                Some((back, measured)) = lag_told.recv() => {
                    lags = Some(back);
                    self.lags(measured);
                }
                _ = draw.tick() => {
                    if self.live.is_some() {
                        self.measure().await;
                    }
                    // Asking the broker blocks, so a thread does it and gives the clients back.
                    let is_wanted = self.live.is_some() || self.meters.iter().any(Meter::is_away);
                    if let Some(lent) = lags.take_if(|_| is_wanted) {
                        measure_lags(lent, tell_lag.clone());
                    }
                    self.draw(newest.as_ref())?;
                }
                _ = look.tick() => {
                    self.look_who_is_back().await;
                    if self.args.exit && self.is_through(env).await? {
                        return Ok(Ended::Through);
                    }
                }
            }
        }
    }

    /// Waits until each service has a process and has told where its metrics are, for the banner.
    async fn first_starts(&mut self) {
        let unknown = |meter: &Meter| meter.pid.is_none() || meter.address.is_none();
        while self.meters.iter().any(unknown) {
            let Some(news) = self.news.recv().await else { return };
            let failed = matches!(news, News::Ended { .. });
            self.hear(&news);
            if failed {
                return;
            }
        }
    }

    async fn sources(&self) -> Result<(Option<Newest>, Vec<Lag>), Failure> {
        let (global, is_live) = (self.global.clone(), self.live.is_some());
        let made = tokio::task::spawn_blocking(move || {
            let cluster = Arc::new(Cluster::connect(&global)?);
            let newest = match is_live {
                true => Some(Newest::follow(&cluster, shop::TOPICS)?),
                false => None,
            };
            let lags = shop::SERVICES
                .iter()
                .map(|service| Lag::of(&cluster, service))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((newest, lags))
        });
        made.await.map_err(|error| Failure::new(format!("cannot watch the shop: {error}")))?
    }

    fn refused(&self, name: &str) -> Failure {
        let said = self.last_said.get(name).map(String::as_str).unwrap_or_default();
        Failure::new(format!("{name} may not do what it is for"))
            .because(said)
            .exit(Exit::NotAllowed)
    }

    fn hear(&mut self, news: &News) {
        if let News::Said { name, text } = news {
            self.last_said.insert(*name, text.clone());
        }
        let name = match news {
            News::Started { name, pid } => {
                if self.live.is_none() {
                    output::note(&format!("{name} {pid}"));
                }
                name
            }
            News::Serves { name, .. } | News::Said { name, .. } | News::Ended { name, .. } => name,
        };
        let Some(meter) = self.meters.iter_mut().find(|meter| meter.name == *name) else { return };
        if let Some(note) = meter.hear(news, Instant::now()) {
            self.note(note);
        }
    }

    fn note(&mut self, note: String) {
        let line = format!("{}  {note}", ZonedDateTime::now().strftime("%H:%M:%S"));
        match self.live {
            Some(_) => self.notes.add(line),
            None => output::note(&line),
        }
    }

    async fn measure(&mut self) {
        for meter in &mut self.meters {
            let Some(address) = meter.address else { continue };
            if let Some(sample) = scrape::sample(address).await {
                meter.measure(sample, Instant::now());
            }
        }
    }

    fn lags(&mut self, measured: Vec<(&'static str, i64)>) {
        for (name, lag) in measured {
            if let Some(meter) = self.meters.iter_mut().find(|meter| meter.name == name) {
                meter.lags(lag);
            }
        }
    }

    async fn look_who_is_back(&mut self) {
        let mut told = Vec::new();
        for meter in &mut self.meters {
            let Some(address) = meter.address.filter(|_| meter.is_away()) else { continue };
            if scrape::is_ready(address).await {
                told.extend(meter.is_back(Instant::now()));
            }
        }
        told.into_iter().for_each(|note| self.note(note));
    }

    async fn is_through(&self, env: &shop::Env) -> Result<bool, Failure> {
        let expected = self.args.orders.unwrap_or(SAMPLE_ORDERS);
        let progress = shop::progress(env).await.map_err(|error| cannot_read(&error))?;
        Ok(progress.is_done(expected))
    }

    fn draw(&mut self, newest: Option<&Newest>) -> Result<(), Failure> {
        let Some(live) = &mut self.live else { return Ok(()) };
        for meter in &mut self.meters {
            if let Some(last) = newest.and_then(|newest| newest.of(meter.name)) {
                meter.last = output::printable(&last);
            }
        }
        live.draw(&table::render(&self.meters, &self.notes, self.screen))
    }
}

type Measured = (Vec<Lag>, Vec<(&'static str, i64)>);

fn measure_lags(lags: Vec<Lag>, tell: mpsc::Sender<Measured>) {
    tokio::task::spawn_blocking(move || {
        let measured =
            lags.iter().filter_map(|lag| Some((lag.group(), lag.measure().ok()?))).collect();
        // Nobody waits for it any more when the command ends.
        let _ = tell.blocking_send((lags, measured));
    });
}
