//! The removal of tenants: all of one, nothing of another, however often it is cut off.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use lmo_shared::{
    audit::{Actor, IfMatch, Source},
    auth::{Principal, Role},
    clock::{Period, Timestamp},
    error::Result,
    id::{KeyId, RequestId, SessionId, TenantId},
    llm::{Message, Role as Speaker, Usage},
    mail::EmailAddress,
    money::{NanoUsd, Tokens},
    people::{Memberships, SignIn, SignIns, User, Users, Way},
    session::{Asked, Opening, Said},
    store::keys::Bucket,
    tenant::{Authority, Invitation, Purged, Retention, Tenant},
    usage::{Entry, Ledger, Outcome, expires_at},
};
use serde_json::json;

use crate::{aggregate::feed, support::Ground};

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-22T12:00:00Z").unwrap()
}

/// A tenant that has left something everywhere, and its owner.
struct Leaving {
    tenant: Tenant,
    owner: User,
}

impl Leaving {
    /// With an owner, if it isn't one that there is already.
    async fn new(ground: &Ground, name: &str, owner: Option<User>) -> Self {
        let (platform, now) = (&ground.platform, ground.platform.clock().now());
        let (table, tenant) = (platform.table(), Tenant::new(name, now));
        platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap();
        let mut change = platform.tenants().change();
        let owner = owner.unwrap_or_else(|| {
            let user = User::new(EmailAddress::parse(&format!("{name}@example.com")).unwrap(), now);
            Users::new(table.clone()).add(&mut change, &user).unwrap();
            user
        });
        Memberships::new(table.clone()).add(&mut change, &owner, tenant.id, Role::Owner, now).unwrap();
        let (sign_in, _) = SignIn::begin(&owner, Some(tenant.id), false, Source::default(), now);
        SignIns::new(table.clone()).add(&mut change, &owner, &sign_in, Way::Password).unwrap();
        let by = Authority { who: Principal::Member(owner.id), actor: owner.acting(&Source::default()) };
        change.commit().await.unwrap().or(|| panic!("refused")).unwrap();
        let mut change = platform.tenants().change();
        let invitation = Invitation { email: EmailAddress::parse("new@example.com").unwrap(), role: Role::Viewer };
        platform.invites(ground.mailer()).add(&mut change, tenant.id, &invitation, &by).await.unwrap();
        change.commit().await.unwrap().or(|| panic!("refused")).unwrap();
        Self { tenant, owner }.with_usage(ground, now).await
    }

    async fn with_usage(self, ground: &Ground, now: Timestamp) -> Self {
        let (platform, tenant) = (&ground.platform, self.tenant.id);
        let request = RequestId::new(now);
        let entry = Entry {
            key: KeyId::new(now),
            model: "lmo/echo".to_owned(),
            prices: "2026-11".to_owned(),
            usage: Usage { input_tokens: Tokens(3), output_tokens: Tokens(4), ..Usage::default() },
            nano_usd: NanoUsd(70),
            byok: false,
            estimated: false,
            unbilled: Tokens::ZERO,
            outcome: Outcome::Answered,
            attempts: 1,
            failed_attempts: Vec::new(),
            first_ms: None,
            total_ms: 9,
            expires_at: expires_at(request),
        };
        Ledger::new(platform.table().clone()).record(tenant, request, entry).await.unwrap();
        platform.aggregator().count(tenant, &BTreeSet::from([Bucket::of(request)])).await.unwrap();
        let (until, ttl) = (now.after(Duration::from_mins(1)), Duration::from_hours(1));
        let opening = Opening { request, until, ttl, retention: Retention::default() };
        let turn = platform.sessions().begin(tenant, &SessionId::parse("chat").unwrap(), opening).await.unwrap();
        let asked = Asked::new(&[Message::text(Speaker::User, "question")]).unwrap();
        let answered = vec![Message::text(Speaker::Assistant, "answer")];
        turn.commit(Said { asked, answered, model: "lmo/echo".to_owned(), summary: None }).await.unwrap();
        let (own, table) = (platform.table().tenant(tenant), platform.table());
        let mark = json!({"expires_at": 1});
        own.cached("hash").put("PART#00", &mark).await.unwrap();
        own.neighbours("hash").put("1#hash", &mark).await.unwrap();
        own.main().put("ONCE#hash", &mark).await.unwrap();
        own.main().put("METER#2026-11#TENANT#00", &mark).await.unwrap();
        table.active(Period::month(now)).put(&tenant.to_string(), &mark).await.unwrap();
        let opened = json!({"by": {"tenant": tenant, "who": {"member": self.owner.id}}, "at": 1, "expires_at": 1});
        table.connection(&tenant.to_string()[20..]).put("CONNECTION", &opened).await.unwrap();
        self
    }

    fn by(&self) -> Authority {
        Authority { who: Principal::Member(self.owner.id), actor: self.owner.acting(&Source::default()) }
    }

    async fn announce(&self, ground: &Ground) {
        let (tenants, now) = (ground.platform.tenants(), ground.platform.clock().now());
        tenants.announce_deletion(self.tenant.id, &self.tenant.name, IfMatch::Any, &self.by(), now).await.unwrap();
    }
}

/// All items of the table that say anything of a text, by their keys.
async fn items_with(ground: &Ground, text: &str) -> Vec<String> {
    let table = ground.platform.table();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let request = table.client().scan().table_name(table.name()).set_exclusive_start_key(after);
        let page = request.send().await.unwrap();
        for item in page.items() {
            if format!("{item:?}").contains(text) {
                let part = |name: &str| item.get(name).map(AttributeValue::as_s).unwrap().unwrap().clone();
                found.push(format!("{} {}", part("pk"), part("sk")));
            }
        }
        after = page.last_evaluated_key;
        if after.is_none() {
            found.sort();
            return found;
        }
    }
}

async fn all(ground: &Ground) -> Vec<String> {
    items_with(ground, "").await
}

async fn purge(ground: &Ground) -> Result<Purged> {
    ground.platform.purge().run(Timestamp(u64::MAX)).await
}

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn after_thirty_days_nothing_is_left_of_it_and_everything_of_another() {
    let ground = Ground::at(noon()).await;
    let empty = all(&ground).await;
    let staying = Leaving::new(&ground, "staying", None).await;
    let kept = all(&ground).await;
    let leaving = Leaving::new(&ground, "leaving", None).await;
    let id = leaving.tenant.id.to_string();
    assert!(items_with(&ground, &id).await.len() > 20, "{:#?}", items_with(&ground, &id).await);
    leaving.announce(&ground).await;
    ground.platform.clock().advance(30 * DAY);
    assert_eq!(purge(&ground).await.unwrap(), Purged::default(), "an hour too early");
    ground.platform.clock().advance(DAY / 24);
    let answer = feed(&ground, "scheduler-purge.json").await;
    assert_eq!((&answer["tenants"], &answer["people"], &answer["unfinished"]), (&json!(1), &json!(1), &json!(false)));
    assert_eq!(items_with(&ground, &id).await, [""; 0]);
    assert_eq!(items_with(&ground, &leaving.owner.id.to_string()).await, [""; 0]);
    assert_eq!(items_with(&ground, "leaving@example.com").await, [""; 0]);
    assert_eq!(all(&ground).await, kept);
    assert!(kept.len() > empty.len() + 20);
    assert!(ground.platform.tenants().find(staying.tenant.id).await.unwrap().is_some());
    // And nothing more is to be done.
    assert_eq!(purge(&ground).await.unwrap(), Purged::default());
}

#[tokio::test]
async fn it_may_be_cut_off_at_every_request() {
    let ground = Ground::at(noon()).await;
    Leaving::new(&ground, "staying", None).await;
    let kept = all(&ground).await;
    let leaving = Leaving::new(&ground, "leaving", None).await;
    leaving.announce(&ground).await;
    ground.platform.clock().advance(31 * DAY);
    let mut runs = 0;
    loop {
        *ground.left.lock().unwrap() = Some(runs);
        let done = purge(&ground).await;
        *ground.left.lock().unwrap() = None;
        runs += 1;
        if done.is_ok() {
            break;
        }
        assert!(runs < 200, "it never comes to its end");
    }
    assert!(runs > 10, "{runs} runs");
    assert_eq!(all(&ground).await, kept);
}

#[tokio::test]
async fn it_may_run_twice_at_once() {
    let ground = Ground::at(noon()).await;
    let kept = all(&ground).await;
    for name in ["one", "two", "three"] {
        Leaving::new(&ground, name, None).await.announce(&ground).await;
    }
    ground.platform.clock().advance(31 * DAY);
    let (first, second) = tokio::join!(purge(&ground), purge(&ground));
    assert!(first.unwrap().tenants + second.unwrap().tenants >= 3);
    assert_eq!(all(&ground).await, kept);
}

#[tokio::test]
async fn what_had_no_time_goes_on_with_the_next_run() {
    let ground = Ground::at(noon()).await;
    let kept = all(&ground).await;
    Leaving::new(&ground, "leaving", None).await.announce(&ground).await;
    ground.platform.clock().advance(31 * DAY);
    let none = ground.platform.purge().run(ground.platform.clock().now()).await.unwrap();
    assert_eq!((none.tenants, none.unfinished), (0, true));
    let rest = purge(&ground).await.unwrap();
    assert_eq!((rest.tenants, rest.unfinished), (1, false));
    assert_eq!(all(&ground).await, kept);
}

#[tokio::test]
async fn a_person_who_is_a_member_elsewhere_stays_there() {
    let ground = Ground::at(noon()).await;
    let staying = Leaving::new(&ground, "staying", None).await;
    let kept = all(&ground).await;
    let leaving = Leaving::new(&ground, "leaving", Some(staying.owner.clone())).await;
    leaving.announce(&ground).await;
    ground.platform.clock().advance(31 * DAY);
    let purged = purge(&ground).await.unwrap();
    assert_eq!((purged.tenants, purged.people), (1, 0));
    assert_eq!(all(&ground).await, kept);
}

#[tokio::test]
async fn what_was_taken_back_stays() {
    let ground = Ground::at(noon()).await;
    let staying = Leaving::new(&ground, "staying", None).await;
    staying.announce(&ground).await;
    let (tenants, clock) = (ground.platform.tenants(), ground.platform.clock());
    clock.advance((30 * DAY).checked_sub(Duration::from_secs(1)).unwrap());
    tenants.restore(staying.tenant.id, &staying.by(), clock.now()).await.unwrap();
    clock.advance(31 * DAY);
    assert_eq!(purge(&ground).await.unwrap(), Purged::default());
    let tenant: TenantId = staying.tenant.id;
    assert!(tenants.find(tenant).await.unwrap().is_some());
    // What is too late can't be taken back, also if the removal is late itself.
    staying.announce(&ground).await;
    clock.advance(30 * DAY);
    assert!(tenants.restore(tenant, &staying.by(), clock.now()).await.is_err());
}
