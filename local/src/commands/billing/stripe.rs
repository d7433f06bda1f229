//! `lmo billing stripe`: the deployment's keys of Stripe, into Secrets Manager. They are read from files, because a command
//! line is seen by others and kept by shells.

use std::{path::Path, process::ExitCode};

use lmo_shared::billing::stripe::StripeKeys;
use serde_json::json;

use crate::{args::StripeArgs, backend::Backend, commands::print, problem::Problem};

/// Does it. Running functions use the new keys within five minutes, and at once if the old ones are refused.
pub async fn run(backend: &Backend, args: StripeArgs) -> Result<ExitCode, Problem> {
    let keys = StripeKeys {
        secret_key: read(&args.secret_key_file)?,
        webhook_secret: read(&args.webhook_secret_file)?,
        publishable_key: args.publishable_key,
        api_base: args.api_base,
    };
    keys.check()?;
    let stripe = backend.platform.stripe();
    let secret = stripe.secret();
    let stored = secret.get_or_create(|| Ok(keys.clone())).await?;
    if stored.value != keys && !secret.replace(&stored, keys).await? {
        return Err(Problem("somebody else has just stored other keys; try again".to_owned()));
    }
    let webhook = format!("{}/webhooks/stripe", backend.platform.config().issuer);
    print(&json!({"stored": true, "webhook": webhook}))
}

fn read(path: &Path) -> Result<String, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| Problem(format!("{}: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}
