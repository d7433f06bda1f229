//! What a newcomer sees first: the address, a key, and a line to paste.

use lmo_shared::{audit::Actor, error::Error, id::TenantId, platform::Platform, quota::Limits, tenant::Tenant};

use crate::problem::Problem;

/// The secret that the demo tenant's key is kept in, readable by the owner of the data directory alone.
const DEMO_KEY: &str = "lmo/demo-key";

/// The variables that bring a provider of the built-in catalogue.
const KEYS: &str = "OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY or AWS_BEARER_TOKEN_BEDROCK";

/// Creates a tenant with a key that may do everything.
pub async fn create_tenant(
    platform: &Platform,
    name: &str,
    limits: Limits,
    meter_shards: u8,
) -> Result<(TenantId, String), Error> {
    let mut tenant = Tenant { limits, meter_shards, ..Tenant::new(name, platform.clock().now()) };
    let mut change = platform.tenants().change();
    platform.subscriptions().welcome(&mut change, &mut tenant).await?;
    let key = platform.tenants().open_with(change, &tenant, &Actor::command_line()).await?;
    Ok((tenant.id, key.text))
}

/// The demo tenant's key; the first time, the tenant is created.
pub async fn demo_key(platform: &Platform) -> Result<String, Problem> {
    let secrets = platform.secrets();
    if let Ok(found) = secrets.get_secret_value().secret_id(DEMO_KEY).send().await
        && let Some(key) = found.secret_string
    {
        return Ok(key);
    }
    let (_, key) = create_tenant(platform, "demo", Limits::default(), 1).await?;
    let kept = secrets.create_secret().name(DEMO_KEY).secret_string(&key).send().await;
    kept.map_err(|error| Problem(format!("demo key: {}", aws_sdk_secretsmanager::error::DisplayErrorContext(error))))?;
    Ok(key)
}

/// Says where the platform is and how to use it.
pub fn print(address: std::net::SocketAddr, key: Option<&str>, model: &str) {
    println!("LMO {} on http://{address}", env!("CARGO_PKG_VERSION"));
    println!("  model    {model}");
    if model == "lmo/echo" {
        println!("           (for a real one set {KEYS}, or start Ollama)");
    }
    let Some(key) = key else { return };
    println!("  API key  {key} (tenant `demo`)");
    println!("\nTry it:\n");
    println!(
        "  curl http://{address}/api/mcp/query -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{\"query\": \"Say hello\"}}'\n"
    );
}
