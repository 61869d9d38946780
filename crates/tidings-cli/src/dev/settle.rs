//! The end of the shop: its last line, and whether everything adds up.

use super::place::cannot_read;
use super::{DevArgs, shop_run::Ended, sources};
use crate::cli::Global;
use crate::failure::{Exit, Failure};
use crate::output::{self, Screen};

/// The last line, and whether everything adds up.
pub async fn settle(
    global: &Global,
    screen: &Screen,
    env: &shop::Env,
    ended: Ended,
    args: &DevArgs,
) -> Result<(), Failure> {
    let (global, screen) = (global.clone(), *screen);
    let counted = tokio::task::spawn_blocking(move || {
        sources::dead_letters(&global, shop::SERVICES, &screen)
    });
    let dead = counted
        .await
        .map_err(|error| Failure::new(format!("cannot count the dead letters: {error}")))??;
    let summary = shop::summary(env, &dead).await.map_err(|error| cannot_read(&error))?;
    let line = serde_json::to_value(&summary)
        .map_err(|error| Failure::new(format!("cannot write the summary: {error}")))?;
    output::json(line)?;
    if ended == Ended::Interrupted && args.exit {
        return Err(Failure::new("interrupted before every order was in a final state")
            .exit(Exit::Interrupted));
    }
    let mut reasons = summary.verify().err().unwrap_or_default();
    let parked = summary.orders.parked;
    if parked > 0 && !args.bank_poison {
        let orders = output::counted(parked, "order");
        reasons.push(format!("{orders} parked, to wait for a person"));
    }
    match reasons {
        reasons if args.exit && !reasons.is_empty() => {
            let failure = Failure::new("the audit of the services' databases found faults");
            let failure = reasons.into_iter().fold(failure, Failure::because);
            let help = match args.data {
                Some(_) => format!("look at the databases:  {}", env.data_dir.display()),
                None => "keep the databases, to look at them:  --data DIR".to_owned(),
            };
            Err(failure.help(help).exit(Exit::CheckFailed))
        }
        _ => Ok(()),
    }
}
