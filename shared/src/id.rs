//! Identifiers: a prefix that says what it names, and a ULID, so that they sort by time; but for those that clients
//! choose.

use std::fmt;

use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use crate::clock::Timestamp;

mod session;

pub use session::SessionId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(Ulid);

        impl $name {
            /// A new one, sorted at `at`.
            #[must_use]
            pub fn new(at: Timestamp) -> Self {
                Self(Ulid::from_parts(at.0, rand::random()))
            }

            /// When it was made, to the millisecond.
            #[must_use]
            pub fn made_at(self) -> Timestamp {
                Timestamp(self.0.timestamp_ms())
            }

            /// The part behind the prefix, 26 characters of Crockford's base 32.
            #[must_use]
            pub fn ulid(self) -> Ulid {
                self.0
            }

            /// From the part behind the prefix.
            #[must_use]
            pub fn from_ulid(ulid: Ulid) -> Self {
                Self(ulid)
            }

            /// From its full text; `None` unless prefix and ULID are right.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Ulid::from_string(text.strip_prefix($prefix)?).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ulid::ULID_LEN];
                f.write_str($prefix)?;
                f.write_str(self.0.array_to_str(&mut buffer))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or(concat!("not an id of the form ", $prefix, "<ulid>"))
            }
        }
    };
}

id! {
    /// A tenant: a customer of the operator.
    TenantId, "tnt_"
}
id! {
    /// An API key of a tenant.
    KeyId, "key_"
}
id! {
    /// A person, who may be a member of several tenants.
    UserId, "usr_"
}
id! {
    /// A sign-in of a person, which lasts as long as its refresh tokens are renewed.
    SignInId, "ses_"
}
id! {
    /// An invitation to become a member of a tenant.
    InviteId, "ivt_"
}
id! {
    /// An entry of a tenant's audit log.
    AuditId, "aud_"
}
id! {
    /// A webhook of a tenant.
    WebhookId, "whk_"
}
id! {
    /// What webhooks are told.
    MessageId, "msg_"
}
id! {
    /// One request to a model. It dates the request: its time decides the hour that it is billed in.
    RequestId, "req_"
}

id! {
    /// An invoice. It sorts by its period.
    InvoiceId, "inv_"
}
id! {
    /// A credit note.
    CreditNoteId, "crn_"
}
id! {
    /// A payment of an invoice, or an attempt at one.
    PaymentId, "pay_"
}
id! {
    /// Prepaid credit.
    GrantId, "crd_"
}
id! {
    /// What an invoice makes up for.
    AdjustmentId, "adj_"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let key = KeyId::new(Timestamp(1)).to_string();
        assert_eq!(TenantId::parse(&key), None);
    }

    proptest! {
        #[test]
        fn ids_read_back_and_sort_by_time(early in 0..1_u64 << 47, gap in 1..1_u64 << 40) {
            let (first, second) = (RequestId::new(Timestamp(early)), RequestId::new(Timestamp(early + gap)));
            prop_assert!(first.to_string() < second.to_string());
            prop_assert_eq!(RequestId::parse(&first.to_string()), Some(first));
            prop_assert_eq!(first.made_at(), Timestamp(early));
        }
    }
}
