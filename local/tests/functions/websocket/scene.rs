//! The function on an empty platform, between API Gateway's stand-in and a provider's.

use std::{collections::BTreeSet, time::Duration};

use aws_lambda_events::event::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use lmo_bench::standin::{Standin, StandinOptions};
use lmo_shared::{
    audit::{Actor, IfMatch},
    auth::NewKey,
    clock::{Granularity, Period, Timestamp},
    id::{KeyId, TenantId},
    llm::catalogue::Catalogue,
    store::Committed,
    tenant::{AddressRange, ApiKey, KeyScope, Tenant, TenantConfig},
};
use lmo_websocket::{Function, Posts};
use serde_json::{Value, json};

use super::management::Management;
use crate::support::{Ground, event};

pub const CONNECTION: &str = "UbQwXd7aFiACEzQ=";

pub struct Scene {
    pub ground: Ground,
    pub management: Management,
    pub standin: Standin,
    pub function: Function,
    pub tenant: TenantId,
    pub key: NewKey,
}

impl Scene {
    pub async fn new() -> Self {
        Self::asking_after(Duration::from_mins(5)).await
    }

    /// A function that asks after so long a silence whether a client is there.
    pub async fn asking_after(silence: Duration) -> Self {
        let now = Timestamp::parse("2026-11-22T10:00:12Z").unwrap();
        let (ground, management) = (Ground::at(now).await, Management::start().await);
        let standin = Standin::start(StandinOptions::default()).unwrap();
        let models = models(&standin.base_url());
        ground.platform.catalogues().apply(Catalogue::from_toml(&models, now).unwrap()).await.unwrap();
        let (tenant, key) = tenant(&ground).await;
        let function = function(&ground, &management, silence);
        Self { ground, management, standin, function, tenant, key }
    }

    /// The same function in another instance, which remembers nothing.
    pub fn another_instance(&self) -> Function {
        function(&self.ground, &self.management, Duration::from_mins(5))
    }

    pub async fn put_config(&self, config: Value) {
        let config: TenantConfig = serde_json::from_value(config).unwrap();
        let (tenants, now) = (self.ground.platform.tenants(), self.ground.platform.clock().now());
        let actor = Actor::command_line();
        tenants.put_config(self.tenant, IfMatch::Any, &config, &actor, now).await.unwrap();
    }

    /// Lets the tenant's key be used from these addresses only, or from everywhere.
    pub async fn list_addresses(&self, range: Option<&str>) {
        let set = |key: &mut ApiKey| {
            key.allowed_addresses = range.and_then(AddressRange::parse).map(|range| vec![range]);
            Ok(())
        };
        let (tenants, now) = (self.ground.platform.tenants(), self.ground.platform.clock().now());
        tenants.change_key(self.tenant, self.key.id, IfMatch::Any, &Actor::command_line(), now, set).await.unwrap();
    }

    /// Opens [`CONNECTION`] with the tenant's key.
    pub async fn open(&self) {
        let answer = self.connect(json!({"Authorization": format!("Bearer {}", self.key.text)})).await;
        assert_eq!(answer.status_code, 200, "{answer:?}");
    }

    /// Asks to open [`CONNECTION`] with these header fields.
    pub async fn connect(&self, headers: Value) -> ApiGatewayProxyResponse {
        self.another_instance().handle(connect_event(CONNECTION, headers)).await.unwrap()
    }

    /// A message over [`CONNECTION`]; returns when the function does.
    pub async fn say(&self, message: &str, body: &Value) {
        Box::pin(self.function.handle(message_event(CONNECTION, message, &body.to_string()))).await.unwrap();
    }

    /// The requests of a tenant in the ledger.
    pub async fn ledger(&self, tenant: TenantId) -> Vec<Value> {
        let hour = Period::of(Granularity::Hour, self.ground.platform.clock().now());
        self.ground.platform.table().tenant(tenant).ledger(hour).all().collect().await.unwrap()
    }

    /// Whatever the table has of [`CONNECTION`].
    pub async fn items(&self) -> Vec<Value> {
        self.ground.platform.table().connection(CONNECTION).all().collect().await.unwrap()
    }

    /// What is held on meters.
    pub async fn held(&self) -> usize {
        let rows = self.ground.platform.table().tenant(self.tenant).main().begins_with::<Value>("METER#");
        let meters = rows.collect().await.unwrap();
        meters.iter().filter_map(|meter| meter["holds"].as_object()).map(serde_json::Map::len).sum()
    }
}

fn function(ground: &Ground, management: &Management, silence: Duration) -> Function {
    let platform = &ground.platform;
    let signer = platform.signer("execute-api").unwrap();
    let posts = Posts::new(management.endpoint.parse().unwrap(), signer, silence).unwrap();
    Function::new(platform, platform.answers(platform.catalogues()), posts)
}

/// A tenant with a key that may do everything.
pub async fn tenant(ground: &Ground) -> (TenantId, NewKey) {
    let created_at = ground.platform.clock().now();
    let tenant = Tenant::new("test", created_at);
    (tenant.id, ground.platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap())
}

/// A further key of a tenant.
pub async fn key(
    ground: &Ground,
    tenant: TenantId,
    scopes: BTreeSet<KeyScope>,
    expires_at: Option<Timestamp>,
) -> NewKey {
    let created_at = ground.platform.clock().now();
    let new = NewKey::make(tenant, created_at);
    let key = ApiKey { expires_at, ..ApiKey::of(&new, "second", scopes, created_at) };
    let tenants = ground.platform.tenants();
    let mut change = tenants.change();
    tenants.add_key(&mut change, tenant, &key, &Actor::command_line()).unwrap();
    assert_eq!(change.commit().await.unwrap(), Committed::Yes);
    new
}

pub async fn revoke(ground: &Ground, tenant: TenantId, key: KeyId) {
    ground
        .platform
        .tenants()
        .revoke_key(tenant, key, IfMatch::Any, &Actor::command_line(), ground.platform.clock().now(), |_| Ok(()))
        .await
        .unwrap();
}

/// API Gateway's event of a handshake with these header fields.
pub fn connect_event(connection: &str, headers: Value) -> ApiGatewayWebsocketProxyRequest {
    let mut event: Value = serde_json::from_str(&event("apigw-websocket-connect.json")).unwrap();
    let several = headers.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!([value])));
    event["multiValueHeaders"] = Value::Object(several.collect());
    event["headers"] = headers;
    of_connection(event, connection)
}

/// API Gateway's event of a message.
pub fn message_event(connection: &str, message: &str, body: &str) -> ApiGatewayWebsocketProxyRequest {
    let mut event: Value = serde_json::from_str(&event("apigw-websocket-message.json")).unwrap();
    event["requestContext"]["messageId"] = message.into();
    event["body"] = body.into();
    of_connection(event, connection)
}

/// API Gateway's event of a connection's end.
pub fn disconnect_event(connection: &str) -> ApiGatewayWebsocketProxyRequest {
    of_connection(serde_json::from_str(&event("apigw-websocket-disconnect.json")).unwrap(), connection)
}

fn of_connection(mut event: Value, connection: &str) -> ApiGatewayWebsocketProxyRequest {
    event["requestContext"]["connectionId"] = connection.into();
    serde_json::from_value(event).unwrap()
}

fn models(base_url: &str) -> String {
    format!(
        r#"
[providers.standin]
kind = "openai"
base_url = "{base_url}"
[models.small]
provider = "standin"
context_window = 128000
price = {{ input = 1, output = 2 }}
[models.whole]
provider = "standin"
context_window = 128000
max_output_tokens = 100000
capabilities = ["chat"]
price = {{ input = 1, output = 2 }}
[aliases]
default = "small"
"#
    )
}
