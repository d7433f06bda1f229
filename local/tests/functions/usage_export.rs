//! The usage export: day by day, whole, the same twice, and into S3 as S3 wants it.

use std::{
    collections::BTreeMap,
    io::Read,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::{digest, hmac};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use flate2::read::GzDecoder;
use lmo_shared::{
    audit::Actor,
    clock::{Granularity, Period, Timestamp},
    error::Error,
    id::TenantId,
    llm::catalogue::Catalogue,
    tenant::Tenant,
    usage::{Destination, Expired, Exported},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    month::{MODELS, ask, set},
    support::Ground,
};

struct Scene {
    ground: Ground,
    dir: TempDir,
    prices: String,
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn day(text: &str) -> Period {
    Period::parse(text).unwrap()
}

impl Scene {
    async fn new() -> Self {
        let ground = Ground::at(at("2035-10-01T00:00:00Z")).await;
        let models = Catalogue::from_toml(MODELS, at("2035-01-01")).unwrap();
        let prices = ground.platform.catalogues().apply(models).await.unwrap();
        Self { ground, dir: TempDir::new().unwrap(), prices }
    }

    async fn tenant(&self) -> TenantId {
        let tenant = Tenant::new("acme", self.ground.platform.clock().now());
        self.ground.platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap();
        tenant.id
    }

    fn set(&self, text: &str) {
        set(self.ground.platform.clock(), at(text));
    }

    async fn ask(&self, tenant: TenantId, time: &str, tokens: u64) {
        self.set(time);
        ask(&self.ground.platform, tenant, self.prices.clone(), tokens).await;
    }

    async fn sweep(&self) {
        self.ground.platform.sweeper().sweep(Expired::ByDeadline).await.unwrap();
    }

    fn folder(&self) -> Destination {
        Destination::Folder(self.dir.path().to_owned())
    }

    async fn run(&self) -> Exported {
        let until = self.ground.platform.clock().now().after(Duration::from_mins(10));
        self.ground.platform.exporter(self.folder()).run(until).await.unwrap()
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        walk(self.dir.path(), self.dir.path(), &mut files);
        files
    }
}

fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn path(day: &str, tenant: TenantId) -> String {
    format!("usage/day={day}/tenant={tenant}/part-0.jsonl.gz")
}

#[tokio::test]
async fn each_day_of_a_tenant_is_a_file_with_a_line_for_each_request() {
    let scene = Scene::new().await;
    let [one, other] = [scene.tenant().await, scene.tenant().await];
    scene.ask(one, "2035-10-01T10:00:00Z", 100).await;
    scene.ask(one, "2035-10-01T23:59:59.999Z", 200).await;
    scene.ask(one, "2035-10-02T00:00:00Z", 300).await;
    scene.ask(other, "2035-10-02T12:00:00Z", 400).await;
    scene.set("2035-10-03T03:00:00Z");
    scene.sweep().await;
    assert_eq!(scene.run().await, Exported { days: 2, tenants: 3, requests: 4, ..Exported::default() });
    let files = scene.files();
    let names = [path("2035-10-01", one), path("2035-10-02", one), path("2035-10-02", other)];
    assert_eq!(files.keys().cloned().collect::<std::collections::BTreeSet<_>>(), names.clone().into());
    let first = lines(&files[&names[0]]);
    assert_eq!(first.iter().map(|line| line["input_tokens"].as_u64().unwrap()).collect::<Vec<_>>(), [100, 200]);
    let line = &first[0];
    assert_eq!((&line["tenant"], &line["at"]), (&one.to_string().into(), &"2035-10-01T10:00:00Z".into()));
    assert_eq!(
        (&line["nano_usd"], &line["outcome"], &line["first_ms"]),
        (&300_000.into(), &"answered".into(), &Value::Null)
    );
    let fields: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields.len(), 22, "{fields:?}");
    assert_eq!(scene.run().await, Exported::default(), "there is nothing new");
}

#[tokio::test]
async fn a_day_that_is_written_again_has_the_same_bytes() {
    let scene = Scene::new().await;
    let tenant = scene.tenant().await;
    for minute in 10..40 {
        scene.ask(tenant, &format!("2035-10-01T10:{minute}:00Z"), minute).await;
    }
    scene.set("2035-10-02T03:00:00Z");
    scene.sweep().await;
    scene.run().await;
    let before = scene.files();
    scene.ground.platform.clock().advance(Duration::from_hours(1));
    let exporter = scene.ground.platform.exporter(scene.folder());
    let (from, to) = (day("2035-10-01"), day("2035-10-02"));
    let (one, two) = tokio::join!(exporter.days(from, to), exporter.days(from, to));
    assert_eq!((one.unwrap().requests, two.unwrap().requests), (30, 30));
    assert_eq!((scene.files().len(), scene.files() == before), (1, true));
}

#[tokio::test]
async fn a_day_waits_until_it_is_counted_to_its_end_but_not_for_ever() {
    let scene = Scene::new().await;
    let tenant = scene.tenant().await;
    scene.ask(tenant, "2035-10-01T10:00:00Z", 100).await;
    scene.set("2035-10-02T03:00:00Z");
    let waits = Exported { waiting: Some("2035-10-01".to_owned()), ..Exported::default() };
    assert_eq!(scene.run().await, waits);
    assert!(scene.files().is_empty());
    let exporter = scene.ground.platform.exporter(scene.folder());
    assert_eq!(exporter.days(day("2035-10-01"), day("2035-10-02")).await.unwrap(), waits);
    scene.set("2035-10-04T00:00:00Z");
    assert_eq!(
        scene.run().await,
        Exported { days: 1, skipped: 1, waiting: Some("2035-10-02".to_owned()), ..Exported::default() }
    );
    scene.sweep().await;
    assert_eq!(exporter.days(day("2035-10-01"), day("2035-10-02")).await.unwrap().requests, 1, "it can be had later");
}

#[tokio::test]
async fn what_was_cut_off_goes_on_where_it_was() {
    let scene = Scene::new().await;
    let tenant = scene.tenant().await;
    for number in 1..=5 {
        scene.ask(tenant, &format!("2035-10-0{number}T10:00:00Z"), 100).await;
    }
    scene.set("2035-10-06T03:00:00Z");
    scene.sweep().await;
    for left in 0..40 {
        *scene.ground.left.lock().unwrap() = Some(left);
        let until = scene.ground.platform.clock().now().after(Duration::from_mins(10));
        let ran = scene.ground.platform.exporter(scene.folder()).run(until).await;
        *scene.ground.left.lock().unwrap() = None;
        if ran.is_ok() {
            break;
        }
    }
    scene.run().await;
    let files = scene.files();
    assert_eq!(files.len(), 5);
    assert!(files.values().all(|bytes| lines(bytes).len() == 1));
    let now = scene.ground.platform.clock().now();
    let ran = scene.ground.platform.exporter(scene.folder()).run(now).await.unwrap();
    assert_eq!(ran.waiting, None, "there is no time, and nothing to do");
}

/// What S3 was sent: by path.
#[derive(Clone, Default)]
struct Bucket {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// What it answers at first, one a request.
    answers: Arc<Mutex<Vec<StatusCode>>>,
    asked: Arc<Mutex<usize>>,
}

impl Bucket {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(put).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        origin
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// Checks the signature by hand (S3 API Reference, "Signature Calculations for the Authorization Header").
async fn put(State(bucket): State<Bucket>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    *bucket.asked.lock().unwrap() += 1;
    let field = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).trim().to_owned();
    let authorization = field("authorization");
    let part = |name: &str| {
        let from = authorization.split_once(name).unwrap_or_default().1;
        from.split(", ").next().unwrap_or_default().to_owned()
    };
    let (scope, names) = (part("Credential="), part("SignedHeaders="));
    let scope = scope.split_once('/').unwrap_or_default().1.to_owned();
    let signed = names.split(';').map(|name| format!("{name}:{}\n", field(name))).collect::<Vec<_>>().concat();
    let (hash, time) = (sha256(&body), field("x-amz-date"));
    let canonical = format!("{method}\n{}\n\n{signed}\n{names}\n{hash}", uri.path());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let key = scope.split('/').fold(b"AWS4-".to_vec(), |key, part| mac(&key, part));
    let is_signed = hex(&mac(&key, &text)) == part("Signature=") && field("x-amz-content-sha256") == hash;
    let names: Vec<_> = names.split(';').collect();
    let covers = ["host", "content-type", "x-amz-content-sha256", "x-amz-date"].iter().all(|name| names.contains(name));
    if !is_signed || !covers || scope.split('/').nth(2) != Some("s3") || method != Method::PUT {
        return StatusCode::FORBIDDEN;
    }
    if let Some(answer) = bucket.answers.lock().unwrap().pop() {
        return answer;
    }
    bucket.objects.lock().unwrap().insert(uri.path().replace("%3D", "="), body.to_vec());
    StatusCode::OK
}

#[tokio::test]
async fn s3_gets_what_a_folder_gets_signed_and_again_if_it_fails() {
    let scene = Scene::new().await;
    let tenant = scene.tenant().await;
    scene.ask(tenant, "2035-10-01T10:00:00Z", 100).await;
    scene.set("2035-10-02T03:00:00Z");
    scene.sweep().await;
    let s3 = Bucket::default();
    *s3.answers.lock().unwrap() = vec![StatusCode::SERVICE_UNAVAILABLE, StatusCode::INTERNAL_SERVER_ERROR];
    let signer = scene.ground.platform.signer("s3").unwrap();
    let origin = s3.start().await.parse().unwrap();
    let bucket = lmo_shared::aws::Bucket::new(signer.clone(), "exports", Some(origin)).unwrap();
    let exporter = scene.ground.platform.exporter(Destination::Bucket(bucket));
    let until = scene.ground.platform.clock().now().after(Duration::from_mins(10));
    assert_eq!(exporter.run(until).await.unwrap().requests, 1);
    let name = path("2035-10-01", tenant);
    let (from, to) = (day("2035-10-01"), Period::of(Granularity::Day, at("2035-10-02")));
    scene.ground.platform.exporter(scene.folder()).days(from, to).await.unwrap();
    assert_eq!(s3.objects.lock().unwrap().get(&format!("/exports/{name}")), scene.files().get(&name));
    assert_eq!(*s3.asked.lock().unwrap(), 3);
    // What it refuses isn't tried again.
    *s3.answers.lock().unwrap() = vec![StatusCode::FORBIDDEN];
    assert!(matches!(exporter.days(from, to).await, Err(Error::Internal(_))));
    assert_eq!(*s3.asked.lock().unwrap(), 4);
}
