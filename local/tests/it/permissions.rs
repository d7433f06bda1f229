//! Who may do what: every route of the document is called by everybody, and the table of permissions decides.

use std::time::Duration;

use lmo_shared::{
    auth::{Permission, Role},
    clock::Clock,
    tenant::KeyScope,
};

use crate::support::{Account, Lmo, Response, Setup, Value, json};

/// Calls every route with an empty body, which goes no further than permission to those who have none, and is refused for
/// something else to those who do. What takes no body and takes effect comes last.
struct World {
    lmo: Lmo,
    setup: Setup,
    owner: Account,
    routes: Vec<(String, String)>,
}

impl World {
    async fn new() -> Self {
        let setup = Setup::new();
        let lmo = setup.start();
        let owner = Account::new(&lmo, &setup, "owner@example.com").await;
        let document = lmo.get("/openapi.json").await.json();
        let mut routes: Vec<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                methods.map(move |method| (method.to_uppercase(), path.clone()))
            })
            .filter(|(_, path)| !crate::openapi::is_open_path(path))
            .collect();
        routes.sort_by_key(|(_, path)| path == "/api/tenant/leave");
        assert!(routes.len() > 30, "{routes:?}");
        Self { lmo, setup, owner, routes }
    }

    async fn call(&self, method: &str, path: &str, credential: &str) -> Response {
        let path = path.replace("{id}", "none").replace("{user}", "none");
        let body = (method != "GET").then(|| json!({}));
        self.lmo.send(method, &path, credential, body.as_ref()).await
    }

    /// Fails unless somebody is refused exactly where `may` says no.
    async fn check(&self, who: &str, credential: &str, may: impl Fn(Permission) -> bool) {
        let mut wrong = Vec::new();
        for (method, path) in &self.routes {
            let permission = Permission::of_route(method, path).unwrap_or_else(|| panic!("{method} {path} has no row"));
            let response = self.call(method, path, credential).await;
            let forbidden = response.status == 403 && code(&response.json()) == "forbidden";
            if response.status == 401 || response.status >= 500 || forbidden == may(permission) {
                wrong.push(format!("{who}: {method} {path}: {} {}", response.status, response.body));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// The code of an error in any of the shapes.
fn code(body: &Value) -> String {
    let code = body["code"].as_str().or_else(|| body["error"]["code"].as_str());
    code.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_role_may_do_what_the_table_says_and_nothing_else() {
    let world = World::new().await;
    for role in Role::ALL {
        let name = role.as_str();
        let member = match role {
            Role::Owner => world.owner.clone(),
            Role::Admin | Role::Developer | Role::Billing | Role::Viewer => {
                world.owner.invites(&world.lmo, &world.setup, &format!("{name}@example.com"), name).await
            }
        };
        world.check(name, &member.access, |permission| permission.roles().contains(&role)).await;
    }
}

#[tokio::test]
async fn every_scope_opens_what_the_table_says_and_nothing_else() {
    let world = World::new().await;
    for scope in KeyScope::ALL {
        let body = json!({"name": scope.as_str(), "scopes": [scope.as_str()]});
        let made = world.owner.send(&world.lmo, "POST", "/api/tenant/keys", Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let key = made.json()["api_key"].as_str().unwrap().to_owned();
        world.check(scope.as_str(), &key, |permission| permission.scopes().contains(&scope)).await;
    }
}

#[tokio::test]
async fn nobody_gets_in_anywhere() {
    let world = World::new().await;
    // One whose key's time is over, one whose key is revoked, one who was removed, and one of another deployment.
    let soon = Clock::System.now().after(Duration::from_secs(2)).to_string();
    let make = async |body: Value| {
        let made = world.owner.send(&world.lmo, "POST", "/api/tenant/keys", Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()
    };
    let expired = make(json!({"name": "expired", "scopes": ["tenant:admin"], "expires_at": soon})).await;
    let revoked = make(json!({"name": "revoked", "scopes": ["tenant:admin"]})).await;
    let path = format!("/api/tenant/keys/{}", revoked["id"].as_str().unwrap());
    assert_eq!(world.owner.send(&world.lmo, "DELETE", &path, None).await.status, 204);
    let removed = world.owner.invites(&world.lmo, &world.setup, "removed@example.com", "admin").await;
    let path = format!("/api/tenant/members/{}", removed.user);
    assert_eq!(world.owner.send(&world.lmo, "DELETE", &path, None).await.status, 204);
    let other_setup = Setup::new();
    let other = other_setup.start();
    let foreign = Account::new(&other, &other_setup, "owner@example.com").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let text = |made: &Value| made["api_key"].as_str().unwrap().to_owned();
    let mut changed = world.owner.access.clone();
    changed.replace_range(
        changed.len() - 10..changed.len() - 9,
        if changed.as_bytes()[changed.len() - 10] == b'A' { "B" } else { "A" },
    );
    let nobodies = [
        ("nobody", String::new()),
        ("nonsense", "nonsense".to_owned()),
        ("expired", text(&expired)),
        ("revoked", text(&revoked)),
        ("removed", removed.access),
        ("foreign", foreign.access),
        ("another's key", other.key.clone()),
        ("changed", changed),
    ];
    for (who, credential) in nobodies {
        for (method, path) in &world.routes {
            let response = world.call(method, path, &credential).await;
            assert_eq!(response.status, 401, "{who}: {method} {path}: {}", response.body);
        }
    }
}

#[test]
fn the_page_of_permissions_is_up_to_date() {
    let output = Setup::new().output(&["permissions"]);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/permissions.md");
    let kept = std::fs::read_to_string(page).unwrap_or_default();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(kept == printed, "docs/permissions.md is stale: cargo run -- permissions > docs/permissions.md");
}
