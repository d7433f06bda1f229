//! Mail into files, so that a laptop needs no mail service.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{EmailAddress, Mail, message};
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
};

/// A folder that mails are written to, each into a file of its own, `<time>-<to>.eml`, that its owner alone can read.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    from: EmailAddress,
    clock: Clock,
}

impl Folder {
    /// Writes mails from `from` to the folder `path`, which is made when the first is written.
    #[must_use]
    pub fn new(path: PathBuf, from: EmailAddress, clock: Clock) -> Self {
        Self { path, from, clock }
    }

    /// Writes a mail, and logs where it is.
    ///
    /// # Errors
    /// As [`super::Mailer::send`].
    pub async fn send(&self, mail: &Mail) -> Result<()> {
        let now = self.clock.now();
        let (folder, name) = (self.path.clone(), name(mail.to(), now));
        let text = message::of(mail, &self.from, now);
        let written =
            tokio::task::spawn_blocking(move || write(&folder, &name, &text)).await.map_err(Error::internal)?;
        let path = written.map_err(Error::internal)?;
        tracing::info!(path = %path.display(), "a mail was written");
        Ok(())
    }
}

/// `20261125T180000.123Z-ann@example.org`: sorted by name they are sorted by time. An address may have characters that a
/// file's name may not.
fn name(to: &EmailAddress, now: Timestamp) -> String {
    let (second, millis) = (Timestamp(now.0 - now.0 % 1000), now.0 % 1000);
    let second = second.to_string().replace(['-', ':', 'Z'], "");
    let safe = |c: char| if c.is_ascii_alphanumeric() || "@.+-_".contains(c) { c } else { '_' };
    format!("{second}.{millis:03}Z-{}", to.as_str().chars().map(safe).collect::<String>())
}

/// Whoever sees the file sees the whole mail, and no mail takes another's place.
fn write(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let part = folder.join(format!(".{:016x}.part", rand::random::<u64>()));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?.write_all(text.as_bytes())?;
    let mut path = folder.join(format!("{name}.eml"));
    let mut more = 1;
    let linked = loop {
        match fs::hard_link(&part, &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                more += 1;
                path = folder.join(format!("{name}_{more}.eml"));
            }
            done => break done,
        }
    };
    fs::remove_file(&part)?;
    linked.map(|()| path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mail(to: &str, text: &str) -> Mail {
        Mail::new(EmailAddress::parse(to).unwrap(), "Hello", text.to_owned())
    }

    fn folder(path: &Path) -> Folder {
        let clock = Clock::manual(Timestamp::parse("2026-11-25T18:00:00.123Z").unwrap());
        Folder::new(path.join("mail"), EmailAddress::parse("lmo@example.com").unwrap(), clock)
    }

    fn written(path: &Path) -> Vec<String> {
        let names =
            fs::read_dir(path.join("mail")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn mails_of_one_moment_are_files_of_their_own() {
        let temp = tempfile::tempdir().unwrap();
        for text in ["one\n", "two\n"] {
            folder(temp.path()).send(&mail("ann@example.org", text)).await.unwrap();
        }
        let name = "20261125T180000.123Z-ann@example.org";
        assert_eq!(written(temp.path()), [format!("{name}.eml"), format!("{name}_2.eml")]);
        let second = fs::read_to_string(temp.path().join(format!("mail/{name}_2.eml"))).unwrap();
        assert!(second.ends_with("\r\n\r\ntwo\r\n"), "{second}");
    }

    #[test]
    fn names_are_in_the_order_of_time() {
        let to = EmailAddress::parse("ann@example.org").unwrap();
        let names = [0, 5, 50, 100, 120, 123, 1000].map(|at| name(&to, Timestamp(1_000_000 + at)));
        assert!(names.is_sorted(), "{names:#?}");
    }

    #[tokio::test]
    async fn only_the_owner_can_read_a_mail() {
        let temp = tempfile::tempdir().unwrap();
        folder(temp.path()).send(&mail("ann@example.org", "secret link")).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = temp.path().join("mail").join(&written(temp.path())[0]);
        assert_eq!((mode(&temp.path().join("mail")), mode(&file)), (0o700, 0o600));
    }

    #[tokio::test]
    async fn an_address_names_no_folder() {
        let temp = tempfile::tempdir().unwrap();
        folder(temp.path()).send(&mail("x/y@example.org", "")).await.unwrap();
        assert_eq!(written(temp.path()), ["20261125T180000.123Z-x_y@example.org.eml"]);
    }
}
