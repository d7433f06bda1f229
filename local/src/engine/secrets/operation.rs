//! What each operation does to the vault; time is passed in, in seconds since the epoch.

use serde::Deserialize;
use serde_json::{Value, json};

use super::vault::{CURRENT, Secret, Vault, Version};

/// The kind of an exception and its message.
type Refusal = (&'static str, String);
type Answer = Result<Value, Refusal>;

/// The one failure that is ours and not the caller's.
pub(super) const INTERNAL: &str = "InternalServiceError";
const NOT_FOUND: &str = "ResourceNotFoundException";
const EXISTS: &str = "ResourceExistsException";
const INVALID: &str = "InvalidRequestException";
const PARAMETER: &str = "InvalidParameterException";
const DAY: f64 = 86_400.0;

/// The members of all requests that are served.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Request {
    name: String,
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
    version_stages: Option<Vec<String>>,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
    force_delete_without_recovery: bool,
    recovery_window_in_days: Option<u32>,
}

/// Runs `operation` with the request `body` at the time `now`.
pub(super) fn run(vault: &mut Vault, operation: &str, body: &[u8], now: f64) -> Answer {
    let request: Request =
        serde_json::from_slice(body).map_err(|error| ("SerializationException", error.to_string()))?;
    match operation {
        "CreateSecret" => create(vault, &request, now),
        "PutSecretValue" => put(vault, &request, now),
        "UpdateSecretVersionStage" => move_stage(vault, &request, now),
        "GetSecretValue" => get(vault, &request),
        "DescribeSecret" => find(vault, &request.secret_id).map(describe),
        "DeleteSecret" => delete(vault, &request, now),
        "ListSecrets" => Ok(list(vault)),
        _ => Err(("UnknownOperationException", operation.to_owned())),
    }
}

fn create(vault: &mut Vault, request: &Request, now: f64) -> Answer {
    if request.name.is_empty() {
        return Err((PARAMETER, "the secret has no name".to_owned()));
    }
    if request.secret_string.is_none() && request.secret_binary.is_none() {
        return create_empty(vault, &request.name, now);
    }
    let version = version(request, now)?;
    if let Some(secret) = vault.find(&request.name) {
        if secret.deleted.is_some() {
            let message = format!("the secret {} is scheduled for deletion", request.name);
            return Err((INVALID, message));
        }
        return if secret.versions.iter().any(|known| known.same_as(&version)) {
            Ok(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version.id }))
        } else {
            Err((EXISTS, format!("the secret {} already exists", request.name)))
        };
    }
    let mut secret = Secret::new(&request.name, now);
    let answer = json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version.id });
    secret.add(version, &[CURRENT.to_owned()], now);
    save(vault, &request.name, Some(secret))?;
    Ok(answer)
}

/// A secret whose first value comes later, as Terraform makes it.
fn create_empty(vault: &mut Vault, name: &str, now: f64) -> Answer {
    if vault.find(name).is_some() {
        return Err((EXISTS, format!("the secret {name} already exists")));
    }
    let secret = Secret::new(name, now);
    let answer = json!({ "ARN": secret.arn, "Name": secret.name });
    save(vault, name, Some(secret))?;
    Ok(answer)
}

fn put(vault: &mut Vault, request: &Request, now: f64) -> Answer {
    let version = version(request, now)?;
    let mut secret = usable(vault, &request.secret_id)?.clone();
    let id = version.id.clone();
    let stages = request.version_stages.clone().unwrap_or_else(|| vec![CURRENT.to_owned()]);
    match secret.versions.iter().find(|known| known.id == id) {
        Some(known) if known.same_as(&version) => {}
        Some(_) => return Err((EXISTS, format!("version {id} has another value"))),
        None => secret.add(version, &stages, now),
    }
    let answer = json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": id, "VersionStages": stages });
    let name = secret.name.clone();
    save(vault, &name, Some(secret))?;
    Ok(answer)
}

/// Moves a stage from one version to another: only from where the request says that it is.
fn move_stage(vault: &mut Vault, request: &Request, now: f64) -> Answer {
    let mut secret = usable(vault, &request.secret_id)?.clone();
    let Some(stage) = request.version_stage.as_deref() else {
        return Err((PARAMETER, "VersionStage is missing".to_owned()));
    };
    let (from, to) = (request.remove_from_version_id.as_deref(), request.move_to_version_id.as_deref());
    for id in [from, to].into_iter().flatten() {
        if !secret.versions.iter().any(|version| version.id == id) {
            return Err((NOT_FOUND, format!("{} has no version {id}", secret.name)));
        }
    }
    let holds = |version: &&Version| version.stages.iter().any(|known| known == stage);
    let holder = secret.versions.iter().find(holds).map(|version| version.id.clone());
    if holder.as_deref() != to && holder.as_deref() != from {
        let message = match &holder {
            Some(holder) => {
                format!("staging label {stage} is attached to version {holder}, which RemoveFromVersionId must name")
            }
            None => format!("staging label {stage} is attached to no version"),
        };
        return Err((PARAMETER, message));
    }
    if to.is_none() && stage == CURRENT {
        return Err((PARAMETER, format!("staging label {CURRENT} can be moved, not removed")));
    }
    if holder.as_deref() != to {
        secret.stage(stage, to, now);
    }
    let answer = json!({ "ARN": secret.arn, "Name": secret.name });
    let name = secret.name.clone();
    save(vault, &name, Some(secret))?;
    Ok(answer)
}

fn get(vault: &Vault, request: &Request) -> Answer {
    let secret = usable(vault, &request.secret_id)?;
    let stage = match (&request.version_id, &request.version_stage) {
        (None, None) => Some(CURRENT),
        (_, stage) => stage.as_deref(),
    };
    let wanted = |version: &&Version| {
        request.version_id.as_ref().is_none_or(|id| *id == version.id)
            && stage.is_none_or(|stage| version.stages.iter().any(|known| known == stage))
    };
    let version = secret
        .versions
        .iter()
        .find(wanted)
        .ok_or_else(|| (NOT_FOUND, format!("{} has no such version", secret.name)))?;
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.id,
        "VersionStages": version.stages,
        "CreatedDate": version.created,
    });
    if let Some(text) = &version.string {
        answer["SecretString"] = json!(text);
    }
    if let Some(bytes) = &version.binary {
        answer["SecretBinary"] = json!(bytes);
    }
    Ok(answer)
}

fn delete(vault: &mut Vault, request: &Request, now: f64) -> Answer {
    let mut secret = usable(vault, &request.secret_id)?.clone();
    let days = if request.force_delete_without_recovery {
        0.0
    } else {
        f64::from(request.recovery_window_in_days.unwrap_or(30))
    };
    let at = now + days * DAY;
    secret.deleted = Some(at);
    let answer = json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": at });
    let name = secret.name.clone();
    let kept = (!request.force_delete_without_recovery).then_some(secret);
    save(vault, &name, kept)?;
    Ok(answer)
}

fn list(vault: &Vault) -> Value {
    let shown = vault.secrets().filter(|secret| secret.deleted.is_none());
    json!({ "SecretList": shown.map(listed).collect::<Vec<_>>() })
}

fn describe(secret: &Secret) -> Value {
    let stages: serde_json::Map<_, _> =
        secret.versions.iter().map(|version| (version.id.clone(), json!(version.stages))).collect();
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": secret.created,
        "LastChangedDate": secret.changed,
        "VersionIdsToStages": stages,
    });
    if let Some(at) = secret.deleted {
        answer["DeletedDate"] = json!(at);
    }
    answer
}

fn listed(secret: &Secret) -> Value {
    let mut entry = describe(secret);
    if let Some(members) = entry.as_object_mut()
        && let Some(stages) = members.remove("VersionIdsToStages")
    {
        members.insert("SecretVersionsToStages".to_owned(), stages);
    }
    entry
}

fn find<'a>(vault: &'a Vault, id: &str) -> Result<&'a Secret, Refusal> {
    vault.find(id).ok_or_else(|| (NOT_FOUND, "Secrets Manager can't find the specified secret.".to_owned()))
}

fn usable<'a>(vault: &'a Vault, id: &str) -> Result<&'a Secret, Refusal> {
    let secret = find(vault, id)?;
    match secret.deleted {
        None => Ok(secret),
        Some(_) => Err((INVALID, format!("the secret {} is marked for deletion", secret.name))),
    }
}

fn version(request: &Request, now: f64) -> Result<Version, Refusal> {
    // Every SDK sends a token, which AWS too takes as the id of the version.
    let id =
        request.client_request_token.clone().ok_or_else(|| (PARAMETER, "ClientRequestToken is missing".to_owned()))?;
    if request.secret_string.is_some() == request.secret_binary.is_some() {
        return Err((INVALID, "either SecretString or SecretBinary is needed".to_owned()));
    }
    Ok(Version {
        id,
        created: now,
        stages: Vec::new(),
        string: request.secret_string.clone(),
        binary: request.secret_binary.clone(),
    })
}

fn save(vault: &mut Vault, name: &str, secret: Option<Secret>) -> Result<(), Refusal> {
    vault.replace(name, secret).map_err(|error| (INTERNAL, format!("the secrets file cannot be written: {error}")))
}
