//! An identity provider on a free port that speaks OpenID Connect, and lies as it is told. It signs by the crypto
//! library itself, so that nothing of what is tested is used to test it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

/// How ID tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    Rs256,
    Es256,
    EdDsa,
    /// Not at all.
    None,
    /// With the public RSA key as the secret of HMAC.
    Hs256,
    /// With a key that nobody publishes.
    Foreign,
}

type Change = Box<dyn Fn(&mut Value) + Send>;
type Parameters = HashMap<String, String>;

/// The provider.
#[derive(Clone)]
pub struct IdentityProvider {
    pub issuer: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    rsa: RsaKeyPair,
    ecdsa: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    foreign: Ed25519KeyPair,
    signing: Signing,
    change: Change,
    user_info: Option<Value>,
    discovery: Change,
    /// What was asked for, by the code that answered it.
    asked: BTreeMap<String, Parameters>,
    exchanges: usize,
}

/// What the client calls itself, and proves it with.
pub const CLIENT: (&str, &str) = ("lmo:client", "s3cret/with:signs");

impl IdentityProvider {
    pub async fn start() -> Self {
        let shared = Shared {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ecdsa: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
            foreign: Ed25519KeyPair::generate().unwrap(),
            signing: Signing::Rs256,
            change: Box::new(|_| ()),
            user_info: None,
            discovery: Box::new(|_| ()),
            asked: BTreeMap::new(),
            exchanges: 0,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self { issuer, shared: Arc::new(Mutex::new(shared)) };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/jwks", get(keys))
            .route("/userinfo", get(user_info))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        provider
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    /// From now on ID tokens are signed so.
    pub fn signs(&self, signing: Signing) {
        self.shared().signing = signing;
    }

    /// From now on the claims of ID tokens are changed so.
    pub fn says(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.shared().change = Box::new(change);
    }

    /// From now on the claims of ID tokens are of somebody.
    pub fn knows(&self, subject: &str, email: &str) {
        let (subject, email) = (subject.to_owned(), email.to_owned());
        self.says(move |claims| {
            claims["sub"] = json!(subject);
            claims["email"] = json!(email);
        });
    }

    /// From now on it tells this of its user if it is asked for it.
    pub fn tells(&self, info: Value) {
        self.shared().user_info = Some(info);
    }

    /// From now on it describes itself so.
    pub fn describes(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.shared().discovery = Box::new(change);
    }

    /// How many codes were exchanged.
    pub fn exchanges(&self) -> usize {
        self.shared().exchanges
    }
}

async fn discovery(State(provider): State<IdentityProvider>) -> Json<Value> {
    let issuer = &provider.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?realm=one"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    (provider.shared().discovery)(&mut document);
    Json(document)
}

/// Everybody agrees at once.
async fn authorize(State(provider): State<IdentityProvider>, Query(asked): Query<Parameters>) -> Redirect {
    assert_eq!((asked["realm"].as_str(), asked["response_type"].as_str()), ("one", "code"));
    assert_eq!((asked["client_id"].as_str(), asked["code_challenge_method"].as_str()), (CLIENT.0, "S256"));
    assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
    let code = BASE64.encode(rand::random::<[u8; 16]>());
    let mut back = reqwest::Url::parse(&asked["redirect_uri"]).unwrap();
    back.query_pairs_mut().extend_pairs([("code", &code), ("state", &asked["state"]), ("iss", &provider.issuer)]);
    provider.shared().asked.insert(code, asked);
    Redirect::to(back.as_str())
}

async fn token(State(provider): State<IdentityProvider>, headers: HeaderMap, form: String) -> Response {
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    let basic = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().strip_prefix("Basic ").unwrap());
    let basic = basic.map(|basic| String::from_utf8(BASE64_STANDARD.decode(basic).unwrap()).unwrap());
    // As in a form: RFC 6749 section 2.3.1.
    if basic.as_deref() != Some("lmo%3Aclient:s3cret%2Fwith%3Asigns") {
        return refuse("invalid_client");
    }
    let form =
        reqwest::Url::parse(&format!("form:?{form}")).unwrap().query_pairs().into_owned().collect::<Parameters>();
    let mut shared = provider.shared();
    shared.exchanges += 1;
    // A code is good once.
    let Some(asked) = shared.asked.remove(&form["code"]) else { return refuse("invalid_grant") };
    let verified =
        BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form["code_verifier"].as_bytes()));
    if verified != asked["code_challenge"] || form["redirect_uri"] != asked["redirect_uri"] {
        return refuse("invalid_grant");
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut claims = json!({
        "iss": provider.issuer, "aud": CLIENT.0, "sub": "person-1", "nonce": asked["nonce"],
        "iat": now, "exp": now + 300,
        "email": "ann@example.com", "email_verified": true, "name": "Ann",
    });
    (shared.change)(&mut claims);
    let id_token = shared.sign(&claims);
    Json(json!({"access_token": "for user info", "token_type": "Bearer", "id_token": id_token})).into_response()
}

async fn user_info(State(provider): State<IdentityProvider>, headers: HeaderMap) -> Response {
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Bearer for user info") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(provider.shared().user_info.clone()).into_response()
}

async fn keys(State(provider): State<IdentityProvider>) -> Json<Value> {
    let shared = provider.shared();
    let (rsa, ec) = (shared.rsa.public_key().as_ref(), shared.ecdsa.public_key().as_ref());
    Json(json!({"keys": [
        {"kty": "unknown", "kid": "x"},
        // An RSAPublicKey of 2,048 bits in DER has its modulus there.
        {"kty": "RSA", "use": "sig", "kid": "rsa", "alg": "RS256", "n": BASE64.encode(&rsa[9..265]), "e": "AQAB"},
        {"kty": "EC", "use": "sig", "kid": "ec", "crv": "P-256", "x": BASE64.encode(&ec[1..33]), "y": BASE64.encode(&ec[33..])},
        {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": BASE64.encode(shared.ed.public_key())},
    ]}))
}

impl Shared {
    fn sign(&self, claims: &Value) -> String {
        let (algorithm, kid) = match self.signing {
            Signing::Rs256 => ("RS256", "rsa"),
            Signing::Es256 => ("ES256", "ec"),
            Signing::EdDsa | Signing::Foreign => ("EdDSA", "ed"),
            Signing::None => ("none", "rsa"),
            Signing::Hs256 => ("HS256", "rsa"),
        };
        let header = json!({"alg": algorithm, "kid": kid, "typ": "JWT"});
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let (bytes, random) = (text.as_bytes(), SystemRandom::new());
        let signature = match self.signing {
            Signing::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
            Signing::Es256 => self.ecdsa.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Signing::EdDsa => self.ed.sign(bytes).as_ref().to_vec(),
            Signing::Foreign => self.foreign.sign(bytes).as_ref().to_vec(),
            Signing::None => Vec::new(),
            Signing::Hs256 => {
                let public = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(self.rsa.public_key()).unwrap();
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_ref()), bytes).as_ref().to_vec()
            }
        };
        format!("{text}.{}", BASE64.encode(signature))
    }
}
