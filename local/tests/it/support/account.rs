//! A person with an account, and the mail that it gets.

use super::{Lmo, Response, Setup, Value, json};

/// A password that may be chosen.
pub const PASSWORD: &str = "seven green umbrellas dance";

/// Somebody who signed up.
#[derive(Debug, Clone)]
pub struct Account {
    pub email: String,
    pub user: String,
    pub tenant: String,
    pub access: String,
    pub refresh: String,
}

impl Account {
    /// Somebody who signed up and hasn't opened the link in the mail.
    pub async fn unverified(lmo: &Lmo, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD, "tenant_name": format!("{email}'s")});
        let made = lmo.send("POST", "/api/auth/register", "", Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        Self::of(&made.json())
    }

    /// Somebody who signed up and opened the link.
    pub async fn new(lmo: &Lmo, setup: &Setup, email: &str) -> Self {
        let account = Self::unverified(lmo, email).await;
        let token = json!({"token": link_token(mails(setup, email).last().unwrap())});
        let verified = lmo.send("POST", "/api/auth/verify", "", Some(&token)).await;
        assert_eq!(verified.status, 204, "{}", verified.body);
        account.refreshed(lmo).await
    }

    /// Somebody who had no account and was invited into this one's tenant.
    pub async fn invites(&self, lmo: &Lmo, setup: &Setup, email: &str, role: &str) -> Self {
        let invited = self.send(lmo, "POST", "/api/tenant/invites", Some(&json!({"email": email, "role": role}))).await;
        assert_eq!(invited.status, 201, "{}", invited.body);
        let token = link_token(mails(setup, email).last().unwrap());
        let accepted = accept(lmo, "", &json!({"token": token, "password": PASSWORD})).await;
        assert_eq!(accepted.status, 201, "{}", accepted.body);
        Self::of(&accepted.json())
    }

    /// From the answer to a registration, a login or a refreshing.
    pub fn of(answer: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{answer:#}")).to_owned();
        Self {
            email: text(&answer["user"]["email"]),
            user: text(&answer["user"]["id"]),
            tenant: text(&answer["tenant"]["id"]),
            access: text(&answer["access_token"]),
            refresh: text(&answer["refresh_token"]),
        }
    }

    /// The same with new tokens.
    pub async fn refreshed(&self, lmo: &Lmo) -> Self {
        let answer = refresh(lmo, &self.refresh).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self::of(&answer.json())
    }

    /// Another sign-in of the same person.
    pub async fn again(&self, lmo: &Lmo) -> Self {
        let answer = login(lmo, &self.email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self::of(&answer.json())
    }

    /// A request with its access token.
    pub async fn send(&self, lmo: &Lmo, method: &str, path: &str, body: Option<&Value>) -> Response {
        lmo.send(method, path, &self.access, body).await
    }

    /// The actions in the audit log of its tenant, the newest first.
    pub async fn audited(&self, lmo: &Lmo) -> Vec<String> {
        let log = self.send(lmo, "GET", "/api/tenant/audit?limit=100", None).await.json();
        let entries = log["entries"].as_array().unwrap_or_else(|| panic!("{log:#}"));
        entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    }
}

/// Signs in.
pub async fn login(lmo: &Lmo, email: &str, password: &str) -> Response {
    lmo.send("POST", "/api/auth/login", "", Some(&json!({"email": email, "password": password}))).await
}

/// Accepts an invitation, with an access token or without.
pub async fn accept(lmo: &Lmo, access: &str, body: &Value) -> Response {
    lmo.send("POST", "/api/auth/invites/accept", access, Some(body)).await
}

/// Exchanges a refresh token.
pub async fn refresh(lmo: &Lmo, token: &str) -> Response {
    lmo.send("POST", "/api/auth/refresh", "", Some(&json!({"refresh_token": token}))).await
}

/// The mails that somebody got, the oldest first.
pub fn mails(setup: &Setup, to: &str) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(setup.data_dir().join("mail")) else { return Vec::new() };
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "eml"));
    paths.sort();
    let all = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
    all.filter(|mail| mail.lines().any(|line| line == format!("To: {to}"))).collect()
}

/// The token in the link of a mail.
pub fn link_token(mail: &str) -> String {
    let link = mail.split_whitespace().find(|word| word.contains("#token=")).unwrap_or_else(|| panic!("{mail}"));
    link.split_once("#token=").unwrap().1.to_owned()
}
