//! The composition root of every function: clients from configuration, domains from clients. One constructor per
//! dependency, so that a function links only what it uses.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::{
    answer::{Answers, Parts, Tasks},
    audit::Audit,
    auth::{Authenticator, Connections, LastUse, Links, Operators, Ring, Throttle, Tokens, password::Passwords},
    aws::{self, Bucket, CachedCredentials, Signer},
    billing::{
        invoices::Invoices,
        payments::{self, Payments},
        repo::{BillingSettings, Buyers, Coupons, Grants, Plans, Subscriptions},
        revenue::Revenues,
        run::{Hands, Invoker, Runs},
        stripe::Stripe,
    },
    cache::{AnswerCache, Flights, Neighbours},
    clock::Clock,
    config::{self, Config},
    error::{Error, Result},
    function,
    llm::{Upstreams, catalogue::Catalogues},
    mail::{EmailAddress, Mailer, Ses},
    oidc::Providers,
    outbound::Outbound,
    people::{self, Accounts, Staff},
    quota::Meters,
    seal::Seal,
    secret::Secret,
    session::Sessions,
    store::Table,
    telemetry,
    template::Templates,
    tenant::{Announcements, Exports, Invites, Members, Purge, Tenants},
    usage::{Aggregator, Books, Destination, Exporter, Ledger, Publisher, QuotaLetters, Reports, Sweeper},
    webhook::{Deliveries, Webhooks},
};

/// Makes what functions are made of.
#[derive(Clone)]
pub struct Platform {
    sdk: SdkConfig,
    config: Config,
    clock: Clock,
    table: Table,
    tasks: Tasks,
}

impl Platform {
    /// A platform on the given AWS configuration, which decides whether the engines are Amazon's or embedded ones.
    #[must_use]
    pub fn new(sdk: SdkConfig, config: Config, clock: Clock) -> Self {
        let table = Table::new(aws_sdk_dynamodb::Client::new(&sdk), &config.table);
        Self { sdk, config, clock, table, tasks: Tasks::default() }
    }

    /// The platform of a Lambda function: configured by its environment. What its
    /// answers are working on is settled when Lambda ends the environment.
    ///
    /// # Errors
    /// A variable that is missing or bad, by name; signals that can't be waited for.
    pub async fn of_function() -> Result<Self, function::Error> {
        telemetry::start(telemetry::Format::Json)?;
        let config = Config::of_function()?;
        let platform = Self::new(aws::of_function()?, config, Clock::System);
        function::settle_at_the_end(platform.tasks.clone()).await?;
        Ok(platform)
    }

    /// Opens a connection to the table, for a function whose start reads nothing of it.
    pub async fn connect_table(&self) {
        // Whatever is answered, the connection is open.
        let _ = self.table.client().query().customize().mutate_request(function::ping).send().await;
    }

    /// Opens a connection to the stream of usage events.
    pub async fn connect_stream(&self) {
        let _ = self.kinesis().put_records().customize().mutate_request(function::ping).send().await;
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What answers are working on; a shutdown waits for it.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// A Kinesis client.
    #[must_use]
    pub fn kinesis(&self) -> aws_sdk_kinesis::Client {
        aws_sdk_kinesis::Client::new(&self.sdk)
    }

    /// A Secrets Manager client.
    #[must_use]
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.sdk)
    }

    /// Hashes passwords. There is to be one in a process.
    #[must_use]
    pub fn passwords(&self) -> Passwords {
        Passwords::of_process()
    }

    /// Sends mail by Amazon SES, from an identity that it has verified.
    ///
    /// # Errors
    /// `Internal` without credentials or region.
    pub fn ses(&self, from: EmailAddress) -> Result<Mailer> {
        let signer =
            self.signer("ses").ok_or_else(|| Error::internal("no region, or no credentials to send mail with"))?;
        let endpoint = self.sdk.endpoint_url().map(str::parse).transpose().map_err(Error::internal)?;
        Ses::new(signer, from, endpoint).map(Mailer::Ses)
    }

    /// Counts attempts to sign in.
    #[must_use]
    pub fn throttle(&self) -> Throttle {
        Throttle::new(self.table.clone(), self.clock.clone())
    }

    /// The meters.
    #[must_use]
    pub fn meters(&self) -> Meters {
        Meters::new(self.table.clone(), self.clock.clone(), self.config.flush)
    }

    /// Tenants and their keys.
    #[must_use]
    pub fn tenants(&self) -> Tenants {
        Tenants::new(self.table.clone())
    }

    /// Audit logs.
    #[must_use]
    pub fn audit(&self) -> Audit {
        Audit::new(self.table.clone())
    }

    /// Tenants' members.
    #[must_use]
    pub fn members(&self) -> Members {
        Members::new(self.table.clone())
    }

    /// Invitations, which are sent by `mailer`.
    #[must_use]
    pub fn invites(&self, mailer: Mailer) -> Invites {
        Invites::new(self.table.clone(), self.clock.clone(), mailer, self.links())
    }

    /// What owners are told of their tenants, by `mailer`.
    #[must_use]
    pub fn announcements(&self, mailer: Mailer) -> Announcements {
        Announcements::new(self.members(), mailer)
    }

    /// Exports of tenants.
    #[must_use]
    pub fn exports(&self) -> Exports {
        Exports::new(self.table.clone(), self.clock.clone(), self.sessions())
    }

    /// The removal of tenants.
    #[must_use]
    pub fn purge(&self) -> Purge {
        Purge::new(self.table.clone(), self.clock.clone(), self.subscriptions())
    }

    /// Accounts of people, who are written to by `mailer`. Their tokens are those that the authenticator knows.
    #[must_use]
    pub fn accounts(&self, authenticator: &Authenticator, mailer: Mailer) -> Accounts {
        let tokens = authenticator.tokens().clone();
        Accounts::new(people::Parts {
            table: self.table.clone(),
            clock: self.clock.clone(),
            passwords: self.passwords(),
            throttle: self.throttle(),
            mailer,
            links: Links::new(tokens.ring().clone()),
            tokens,
            seal: self.seal(),
            providers: self.identity_providers(),
            subscriptions: self.subscriptions(),
        })
    }

    /// Identity providers that tenants choose.
    #[must_use]
    pub fn identity_providers(&self) -> Providers {
        Providers::new(self.outbound(), self.clock.clone())
    }

    /// Who is calling.
    #[must_use]
    pub fn authenticator(&self) -> Authenticator {
        let last_use = LastUse::new(self.tenants(), self.config.flush, self.tasks.tracker());
        Authenticator::new(self.tenants(), self.tokens(), self.clock.clone(), last_use)
    }

    /// Who works for the operator.
    #[must_use]
    pub fn operators(&self, authenticator: &Authenticator) -> Operators {
        Operators::new(self.table.clone(), authenticator, self.clock.clone())
    }

    /// Those who work for the operator, to be added and removed.
    #[must_use]
    pub fn staff(&self) -> Staff {
        Staff::new(self.table.clone(), self.links())
    }

    /// The keys that tokens and links are signed with.
    #[must_use]
    pub fn ring(&self) -> Ring {
        let name = format!("{}/signing-keys", self.config.secrets);
        Ring::new(self.secrets(), name, &self.config.issuer, self.clock.clone())
    }

    /// Access tokens.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        Tokens::new(self.ring())
    }

    /// Links in mails.
    #[must_use]
    pub fn links(&self) -> Links {
        Links::new(self.ring())
    }

    /// Seals what is kept but must not be read in the table.
    #[must_use]
    pub fn seal(&self) -> Seal {
        Seal::new(self.secrets(), format!("{}/sealing-key", self.config.secrets), self.clock.clone())
    }

    /// Open WebSocket connections.
    #[must_use]
    pub fn connections(&self) -> Connections {
        Connections::new(self.table.clone(), self.clock.clone())
    }

    /// Signs requests to a service with the credentials of the process; `None` without credentials or region.
    #[must_use]
    pub fn signer(&self, service: &'static str) -> Option<Signer> {
        let credentials = CachedCredentials::new(self.sdk.credentials_provider()?, self.clock.clone());
        Some(Signer { service, credentials, region: self.sdk.region()?.to_string(), clock: self.clock.clone() })
    }

    /// The client to addresses that tenants choose.
    #[must_use]
    pub fn outbound(&self) -> Outbound {
        Outbound::new(self.config.reach)
    }

    /// Tenants' webhooks.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks {
        Webhooks::new(self.table.clone(), self.seal(), self.outbound())
    }

    /// Tells webhooks what happens.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        Deliveries::new(self.table.clone(), self.clock.clone(), self.seal(), self.outbound())
    }

    /// The model catalogue.
    #[must_use]
    pub fn catalogues(&self) -> Arc<Catalogues> {
        Arc::new(Catalogues::new(&self.table, self.clock.clone()))
    }

    /// The pipeline that answers.
    #[must_use]
    pub fn answers(&self, catalogues: Arc<Catalogues>) -> Answers {
        Answers::new(Parts {
            catalogues,
            upstreams: Upstreams::new(self.secrets(), self.sdk.credentials_provider(), self.seal(), self.outbound()),
            meters: self.meters(),
            cache: AnswerCache::new(self.table.clone(), self.clock.clone()),
            neighbours: Neighbours::new(self.table.clone(), self.clock.clone()),
            flights: Flights::default(),
            sessions: self.sessions(),
            templates: self.templates(),
            ledger: Ledger::new(self.table.clone()),
            publisher: Publisher::new(self.kinesis(), self.config.stream.as_str(), self.config.flush),
            clock: self.clock.clone(),
            deadline: self.config.request_deadline,
            flush: self.config.flush,
            tasks: self.tasks.clone(),
        })
    }

    /// Conversations.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.table.clone(), self.clock.clone())
    }

    /// Stripe, by the keys that the deployment has of it.
    #[must_use]
    pub fn stripe(&self) -> Stripe {
        let name = format!("{}/stripe", self.config.secrets);
        Stripe::new(Secret::new(self.secrets(), name, self.clock.clone()))
    }

    /// Plans.
    #[must_use]
    pub fn plans(&self) -> Plans {
        Plans::new(self.table.clone())
    }

    /// The operator's settings for billing.
    #[must_use]
    pub fn billing_settings(&self) -> BillingSettings {
        BillingSettings::new(self.table.clone())
    }

    /// Which plans tenants are on.
    #[must_use]
    pub fn subscriptions(&self) -> Subscriptions {
        Subscriptions::new(self.table.clone(), self.clock.clone(), self.catalogues(), self.meters())
    }

    /// Coupons.
    #[must_use]
    pub fn coupons(&self) -> Coupons {
        Coupons::new(self.table.clone(), self.clock.clone(), self.subscriptions())
    }

    /// Prepaid credit.
    #[must_use]
    pub fn grants(&self) -> Grants {
        Grants::new(self.table.clone())
    }

    /// Who buys.
    #[must_use]
    pub fn buyers(&self) -> Buyers {
        Buyers::new(self.table.clone())
    }

    /// Invoices.
    #[must_use]
    pub fn invoices(&self) -> Invoices {
        Invoices::new(self.table.clone(), self.clock.clone(), self.subscriptions(), self.catalogues())
    }

    /// Payments of invoices, of which buyers are told by `mailer`.
    #[must_use]
    pub fn payments(&self, mailer: Mailer) -> Payments {
        Payments::new(payments::Parts {
            table: self.table.clone(),
            clock: self.clock.clone(),
            stripe: self.stripe(),
            mailer,
            site: self.config.issuer.clone(),
        })
    }

    /// Prompt templates.
    #[must_use]
    pub fn templates(&self) -> Templates {
        Templates::new(self.table.clone())
    }

    /// Usage reports.
    #[must_use]
    pub fn reports(&self, catalogues: Arc<Catalogues>) -> Reports {
        Reports::new(self.table.clone(), catalogues)
    }

    /// Counts the ledger.
    #[must_use]
    pub fn aggregator(&self) -> Aggregator {
        Aggregator::new(self.table.clone(), self.clock.clone())
    }

    /// Puts right what crashes left.
    #[must_use]
    pub fn sweeper(&self) -> Sweeper {
        Sweeper::new(self.table.clone(), self.clock.clone())
    }

    /// What tenants bring in.
    #[must_use]
    pub fn revenues(&self) -> Revenues {
        Revenues::new(self.table.clone(), self.clock.clone(), self.catalogues())
    }

    /// The usage export into a destination.
    #[must_use]
    pub fn exporter(&self, destination: Destination) -> Exporter {
        Exporter::new(self.table.clone(), self.clock.clone(), destination)
    }

    /// The bucket that the usage export goes to, if there is one.
    ///
    /// # Errors
    /// `Internal` without credentials or region, or if no HTTP client can be had.
    pub fn export_bucket(&self) -> Result<Option<Destination>> {
        let Some(name) = config::export_bucket().map_err(Error::internal)? else { return Ok(None) };
        let signer = self.signer("s3").ok_or_else(|| Error::internal("no region, or no credentials for Amazon S3"))?;
        let endpoint = self.sdk.endpoint_url().map(str::parse).transpose().map_err(Error::internal)?;
        Bucket::new(signer, &name, endpoint).map(|bucket| Some(Destination::Bucket(bucket)))
    }

    /// Letters about quotas, posted by `mailer`.
    #[must_use]
    pub fn quota_letters(&self, mailer: Mailer) -> QuotaLetters {
        QuotaLetters::new(self.table.clone(), self.clock.clone(), mailer)
    }

    /// Billing runs. Of a function their parts are invocations of itself.
    #[must_use]
    pub fn runs(&self) -> Runs {
        let endpoint = self.sdk.endpoint_url().and_then(|url| url.parse().ok());
        let hands = match (self.config.function.clone(), self.signer("lambda")) {
            (Some(function), Some(signer)) => Hands::Invocations(Arc::new(Invoker { signer, function, endpoint })),
            (None, _) | (_, None) => Hands::Process,
        };
        Runs::new(self.table.clone(), self.clock.clone(), self.invoices(), hands)
    }

    /// Compares meters and totals.
    #[must_use]
    pub fn books(&self) -> Books {
        Books::new(self.table.clone(), self.clock.clone())
    }
}
