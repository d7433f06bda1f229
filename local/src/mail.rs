//! How mail leaves a laptop: into a folder of the data directory, unless it is told from whom Amazon SES may send.

use lmo_shared::{
    config,
    error::Error,
    mail::{EmailAddress, Folder, Mailer},
    platform::Platform,
};

use crate::{args::Place, problem::Problem};

/// Whom mails in the folder are from: a name that is nobody's (RFC 2606).
const NOBODY: &str = "lmo@lmo.invalid";

/// Amazon SES if `LMO_MAIL_FROM` says from whom; with the embedded engines, or without that, the folder `mail`.
pub fn mailer(platform: &Platform, place: &Place, embedded: bool) -> Result<Mailer, Problem> {
    if !embedded && config::variable("LMO_MAIL_FROM").is_some() {
        return Ok(platform.ses(config::mail_from()?)?);
    }
    Ok(folder(platform, place)?)
}

/// The folder `mail` of the data directory.
pub fn folder(platform: &Platform, place: &Place) -> Result<Mailer, Error> {
    let (path, from) = (place.data_dir.join("mail"), EmailAddress::parse(NOBODY)?);
    Ok(Mailer::Folder(Folder::new(path, from, platform.clock().clone())))
}
