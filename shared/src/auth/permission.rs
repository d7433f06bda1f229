//! Who may do what: one table, from which the extractor of callers, the documentation and the tests are made.

use std::{collections::HashMap, fmt::Write as _, sync::LazyLock};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::tenant::KeyScope;

/// What a member is in its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything; a tenant always has one.
    Owner,
    /// May do everything but delete, export or hand over the tenant.
    Admin,
    /// Builds with it: models, keys, templates, webhooks.
    Developer,
    /// Pays for it: usage, plan, invoices.
    Billing,
    /// Looks on.
    Viewer,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Developer, Self::Billing, Self::Viewer];

    /// As it is written in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Billing => "billing",
            Self::Viewer => "viewer",
        }
    }

    /// Whether somebody with this role may give a role, take it away, and touch whoever has it: admins whatever isn't
    /// above their own, owners everything.
    #[must_use]
    pub fn may_give(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => other != Self::Owner,
            Self::Developer | Self::Billing | Self::Viewer => false,
        }
    }
}

macro_rules! permissions {
    ($($(#[doc = $about:literal])+ $permission:ident = $name:literal: $roles:ident, [$($scope:ident),*], [$($route:literal),* $(,)?];)*) => {
        /// What somebody may be allowed to do in a tenant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $($(#[doc = $about])+ $permission,)*
        }

        impl Permission {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$permission),*];

            /// Its name, as in `keys:write`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$permission => $name,)* }
            }

            /// What it is for.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$permission => concat!($($about),+).trim_ascii_start(),)* }
            }

            /// The roles that have it.
            #[must_use]
            pub fn roles(self) -> &'static [Role] {
                match self { $(Self::$permission => $roles,)* }
            }

            /// The scopes of API keys that give it; a key needs one of them.
            #[must_use]
            pub fn scopes(self) -> &'static [KeyScope] {
                match self { $(Self::$permission => &[$(KeyScope::$scope),*],)* }
            }

            /// The routes that it opens, as in `GET /api/tenant/keys`.
            #[must_use]
            pub fn routes(self) -> &'static [&'static str] {
                match self { $(Self::$permission => &[$($route),*],)* }
            }
        }
    };
}

const OWNERS: &[Role] = &[Role::Owner];
const ADMINS: &[Role] = &[Role::Owner, Role::Admin];
const BUILDERS: &[Role] = &[Role::Owner, Role::Admin, Role::Developer];
const CLERKS: &[Role] = &[Role::Owner, Role::Admin, Role::Billing];
const ALL: &[Role] = &Role::ALL;

permissions! {
    /// Ask models.
    Query = "query": BUILDERS, [Query], [
        "POST /api/mcp/query", "GET /api/mcp/stream", "POST /api/mcp/stream", "GET /api/mcp/ws",
        "POST /v1/chat/completions", "POST /v1/responses", "POST /v1/messages", "POST /v1/messages/count_tokens",
    ];
    /// Have texts turned into vectors.
    Embed = "embed": BUILDERS, [Embed], ["POST /api/mcp/embed", "POST /v1/embeddings"];
    /// See which models there are.
    ModelsRead = "models:read": ALL, [Query, Embed, UsageRead, BillingRead, AuditRead, TenantAdmin], ["GET /v1/models"];
    /// Read and delete conversations.
    Sessions = "sessions": BUILDERS, [Query], ["GET /api/tenant/sessions/{id}", "DELETE /api/tenant/sessions/{id}"];
    /// Read the tenant's usage.
    UsageRead = "usage:read": ALL, [UsageRead], ["GET /api/tenant/usage"];
    /// See the tenant itself.
    TenantRead = "tenant:read": ALL, [TenantAdmin], ["GET /api/tenant"];
    /// Rename the tenant, and say how its members prove who they are.
    TenantWrite = "tenant:write": ADMINS, [TenantAdmin], ["PATCH /api/tenant"];
    /// Read the tenant's configuration.
    ConfigRead = "config:read": ALL, [TenantAdmin], ["GET /api/tenant/config"];
    /// Change the tenant's configuration.
    ConfigWrite = "config:write": ADMINS, [TenantAdmin], ["PUT /api/tenant/config"];
    /// See by which identity provider members sign in, never its secret.
    SignInRead = "sign_in:read": ADMINS, [TenantAdmin], ["GET /api/tenant/sign-in"];
    /// Say by which identity provider members sign in: it could name an owner.
    SignInWrite = "sign_in:write": OWNERS, [], ["PUT /api/tenant/sign-in", "DELETE /api/tenant/sign-in"];
    /// See the API keys, never their secrets.
    KeysRead = "keys:read": BUILDERS, [TenantAdmin], ["GET /api/tenant/keys", "GET /api/tenant/keys/{id}"];
    /// Make, change, rotate and revoke API keys that may do no more than their maker.
    KeysWrite = "keys:write": BUILDERS, [TenantAdmin], [
        "POST /api/tenant/keys", "PATCH /api/tenant/keys/{id}", "DELETE /api/tenant/keys/{id}",
        "POST /api/tenant/keys/{id}/rotate",
    ];
    /// See who the members are.
    MembersRead = "members:read": ALL, [TenantAdmin], ["GET /api/tenant/members", "GET /api/tenant/members/{id}"];
    /// Invite, change and remove members whose role is not above one's own.
    MembersWrite = "members:write": ADMINS, [TenantAdmin], [
        "PATCH /api/tenant/members/{id}", "DELETE /api/tenant/members/{id}", "GET /api/tenant/invites",
        "POST /api/tenant/invites", "DELETE /api/tenant/invites/{id}", "POST /api/tenant/invites/{id}/resend",
    ];
    /// Leave the tenant.
    MembersLeave = "members:leave": ALL, [], ["POST /api/tenant/leave"];
    /// Hand the tenant over to another member.
    TenantTransfer = "tenant:transfer": OWNERS, [], ["POST /api/tenant/transfer"];
    /// Have the tenant removed.
    TenantDelete = "tenant:delete": OWNERS, [], ["DELETE /api/tenant"];
    /// Take the removal of the tenant back.
    TenantRestore = "tenant:restore": OWNERS, [], ["POST /api/tenant/restore"];
    /// Get all that there is of the tenant.
    TenantExport = "tenant:export": OWNERS, [], ["POST /api/tenant/export", "GET /api/tenant/export"];
    /// See for which providers the tenant has brought keys, never the keys.
    ProvidersRead = "providers:read": ADMINS, [TenantAdmin], ["GET /api/tenant/providers"];
    /// Bring, change and take away keys of providers.
    ProvidersWrite = "providers:write": ADMINS, [TenantAdmin], [
        "PUT /api/tenant/providers/{name}", "DELETE /api/tenant/providers/{name}",
    ];
    /// Read prompt templates.
    TemplatesRead = "templates:read": BUILDERS, [TenantAdmin], [
        "GET /api/tenant/templates", "GET /api/tenant/templates/{name}",
    ];
    /// Make, change and delete prompt templates.
    TemplatesWrite = "templates:write": BUILDERS, [TenantAdmin], [
        "PUT /api/tenant/templates/{name}", "DELETE /api/tenant/templates/{name}",
    ];
    /// See the webhooks, never their secrets, and what became of their deliveries.
    WebhooksRead = "webhooks:read": BUILDERS, [TenantAdmin], [
        "GET /api/tenant/webhooks", "GET /api/tenant/webhooks/{id}", "GET /api/tenant/webhooks/{id}/deliveries",
    ];
    /// Make, change, try and remove webhooks, and have deliveries replayed.
    WebhooksWrite = "webhooks:write": BUILDERS, [TenantAdmin], [
        "POST /api/tenant/webhooks", "PATCH /api/tenant/webhooks/{id}", "DELETE /api/tenant/webhooks/{id}",
        "POST /api/tenant/webhooks/{id}/rotate", "POST /api/tenant/webhooks/{id}/test",
        "POST /api/tenant/webhooks/{id}/replay", "POST /api/tenant/webhooks/{id}/deliveries/{message}/replay",
    ];
    /// See how much of what the tenant may is used.
    QuotaRead = "quota:read": ALL, [UsageRead, BillingRead, TenantAdmin], ["GET /api/billing/quota"];
    /// See plan, invoices and payment method.
    BillingRead = "billing:read": CLERKS, [BillingRead, TenantAdmin], [
        "GET /api/billing/plan", "GET /api/billing/plans", "GET /api/billing/forecast", "GET /api/billing/credits", "GET /api/billing/profile",
        "GET /api/billing/invoices", "GET /api/billing/invoices/{id}", "GET /api/billing/credit-notes",
        "GET /api/billing/credit-notes/{id}", "GET /api/billing/payment-method",
    ];
    /// Change plan and payment method, and pay.
    BillingWrite = "billing:write": CLERKS, [TenantAdmin], [
        "PUT /api/billing/plan", "POST /api/billing/coupons", "PUT /api/billing/profile",
        "POST /api/billing/payment-method", "DELETE /api/billing/payment-method", "POST /api/billing/credits",
        "POST /api/billing/invoices/{id}/pay",
    ];
    /// Read the audit log.
    AuditRead = "audit:read": ADMINS, [AuditRead, TenantAdmin], ["GET /api/tenant/audit"];
}

/// The table as `docs/permissions.md` has it.
#[must_use]
pub fn documented() -> String {
    let mut text = "# Who may do what\n\n\
        Each route is opened by one permission. A member has it by its role, an API key or a token of one by its scope; a key\n\
        needs one of those that are listed. `cargo run -- permissions > docs/permissions.md` writes this page.\n\n\
        | permission | what for | owner | admin | developer | billing | viewer | scopes of keys |\n\
        |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for permission in Permission::ALL {
        let roles = Role::ALL.map(|role| if permission.roles().contains(&role) { "yes" } else { "" }).join(" | ");
        let scopes: Vec<_> = permission.scopes().iter().map(|scope| format!("`{}`", scope.as_str())).collect();
        let (name, about) = (permission.name(), permission.about());
        let _ = writeln!(text, "| `{name}` | {about} | {roles} | {} |", scopes.join(" "));
    }
    text.push_str("\n| permission | routes |\n|---|---|\n");
    for permission in Permission::ALL {
        let routes: Vec<_> = permission.routes().iter().map(|route| format!("`{route}`")).collect();
        let _ = writeln!(text, "| `{}` | {} |", permission.name(), routes.join(", "));
    }
    text
}

impl Permission {
    /// Whether it is left while the tenant is being deleted.
    #[must_use]
    pub fn outlasts_tenant(self) -> bool {
        matches!(self, Self::TenantRestore | Self::TenantExport)
    }

    /// Whether it is left to a tenant that is suspended because it doesn't pay.
    #[must_use]
    pub fn is_for_paying(self) -> bool {
        matches!(self, Self::BillingRead | Self::BillingWrite)
    }

    /// The one that opens a route; `None` if none does, so that nobody may use it.
    #[must_use]
    pub fn of_route(method: &str, path: &str) -> Option<Self> {
        static ROUTES: LazyLock<HashMap<(&str, &str), Permission>> = LazyLock::new(|| {
            let routes = |permission: Permission| permission.routes().iter().map(move |route| (*route, permission));
            let rows = Permission::ALL.iter().copied().flat_map(routes);
            rows.filter_map(|(route, permission)| Some((route.split_once(' ')?, permission))).collect()
        });
        // Whoever may have a resource may ask about it.
        let method = if method == "HEAD" { "GET" } else { method };
        ROUTES.get(&(method, path)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_route_has_one_permission() {
        let routes: Vec<_> = Permission::ALL.iter().flat_map(|permission| permission.routes()).collect();
        assert_eq!(routes.len(), BTreeSet::from_iter(&routes).len());
        for route in routes {
            let (method, path) = route.split_once(' ').unwrap();
            assert!(Permission::of_route(method, path).is_some(), "{route}");
        }
        assert_eq!(Permission::of_route("GET", "/api/tenant/nothing"), None);
    }

    #[test]
    fn an_owner_may_do_everything() {
        assert!(Permission::ALL.iter().all(|permission| permission.roles().contains(&Role::Owner)));
    }

    #[test]
    fn no_key_has_what_only_owners_have() {
        let owners = Permission::ALL.iter().filter(|permission| permission.roles() == [Role::Owner]);
        owners.for_each(|permission| assert!(permission.scopes().is_empty(), "{}", permission.name()));
    }
}
