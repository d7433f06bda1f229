//! Access tokens as nobody should make them: with the deployment's own key, out of its data directory, or without it.

use std::path::Path;

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use super::{Lmo, Response, Value, json};

/// The deployment's key, and a token that it has signed, taken to pieces.
pub struct Forge {
    pub pair: Ed25519KeyPair,
    pub jwk: Value,
    pub header: Value,
    pub claims: Value,
}

impl Forge {
    /// By the keys in a data directory, and a token that was issued with them.
    pub fn new(data_dir: &Path, token: &str) -> Self {
        let secrets: Value = serde_json::from_slice(&std::fs::read(data_dir.join("secrets.json")).unwrap()).unwrap();
        let versions = secrets["lmo/signing-keys"]["versions"].as_array().unwrap();
        let is_current = |version: &&Value| version["stages"].as_array().unwrap().contains(&json!("AWSCURRENT"));
        let current = versions.iter().find(is_current).unwrap()["string"].as_str().unwrap();
        let mut jwk = serde_json::from_str::<Value>(current).unwrap()["current"].clone();
        let seed = BASE64.decode(jwk["d"].as_str().unwrap()).unwrap();
        jwk.as_object_mut().unwrap().remove("d");
        let (header, claims) = (part(token, 0), part(token, 1));
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(), jwk, header, claims }
    }

    /// The token with these fields of header and claims changed, or without those that are `null`, signed by the key.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        let message = self.message(header, claims);
        format!("{message}.{}", BASE64.encode(self.pair.sign(message.as_bytes())))
    }

    /// The same, signed by somebody else's Ed25519 key.
    pub fn foreign(&self, header: &Value) -> String {
        let (message, pair) = (self.message(header, &json!({})), Ed25519KeyPair::generate().unwrap());
        format!("{message}.{}", BASE64.encode(pair.sign(message.as_bytes())))
    }

    /// The same, authenticated by HMAC with whatever is public as the secret.
    pub fn hs256(&self, secret: &[u8]) -> String {
        let message = self.message(&json!({"alg": "HS256"}), &json!({}));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", BASE64.encode(tag))
    }

    /// The same, signed by a key of one's own that the header brings along.
    pub fn rs256(&self) -> String {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = pair.public_key();
        let (n, e) =
            (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
        let jwk = json!({"kty": "RSA", "n": BASE64.encode(n), "e": BASE64.encode(e), "kid": self.jwk["kid"]});
        let message = self.message(&json!({"alg": "RS256", "jwk": jwk}), &json!({}));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", BASE64.encode(signature))
    }

    /// The key's public half.
    pub fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Header and claims, to be signed.
    pub fn message(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| BASE64.encode(value.to_string());
        format!("{}.{}", encode(&changed(&self.header, header)), encode(&changed(&self.claims, claims)))
    }
}

/// A part of a token.
pub fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

fn changed(of: &Value, by: &Value) -> Value {
    let mut of = of.clone();
    for (name, value) in by.as_object().unwrap() {
        match value {
            Value::Null => drop(of.as_object_mut().unwrap().remove(name)),
            value => of[name] = value.clone(),
        }
    }
    of
}

/// The id of a key, out of its text.
pub fn key_id(key: &str) -> String {
    format!("key_{}", &key[30..56])
}

/// `POST /api/auth/token` with this form.
pub async fn ask_token(lmo: &Lmo, form: &str, basic: Option<(&str, &str)>) -> Response {
    let mut request = lmo.client.post(format!("{}/api/auth/token", lmo.base));
    if let Some((id, secret)) = basic {
        request = request.basic_auth(id, Some(secret));
    }
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
    Response::read(request.send().await.unwrap()).await
}

/// An access token of a key.
pub async fn token_of(lmo: &Lmo, key: &str) -> String {
    let issued = ask_token(lmo, "grant_type=client_credentials", Some((&key_id(key), key))).await;
    assert_eq!(issued.status, 200, "{}", issued.body);
    issued.json()["access_token"].as_str().unwrap().to_owned()
}
