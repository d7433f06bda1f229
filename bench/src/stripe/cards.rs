//! Stripe's test payment methods (docs.stripe.com/testing): what each number, token and IBAN does.

use super::problem::Problem;

/// What a payment method does when it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nature {
    pub(super) kind: Kind,
    pub(super) brand: &'static str,
    pub(super) last4: &'static str,
    pub(super) challenge: Challenge,
    pub(super) refuses: Refuses,
    pub(super) refund: RefundEnd,
}

/// What sort of payment method it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Card,
    SepaDebit,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::SepaDebit => "sepa_debit",
        }
    }
}

/// When its holder has to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Challenge {
    Never,
    /// Until it is set up; then charges without the holder go through.
    UntilSetUp,
    /// Always; charges without the holder never go through.
    Always,
    /// Whenever its holder is there: it is already set up for when it isn't.
    OnSession,
}

/// When it is declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refuses {
    Nothing,
    /// Even being attached.
    All(Decline),
    /// Being charged.
    Charges(Decline),
}

/// How a refund of it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefundEnd {
    Succeeds,
    /// It is pending first.
    Pending,
    /// It has succeeded, and comes back.
    Fails,
}

/// Why something is declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decline {
    pub(super) code: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) message: &'static str,
}

impl Decline {
    pub(super) fn problem(self) -> Problem {
        Problem::card(self.code, self.reason, self.message)
    }
}

const fn declined(reason: &'static str, message: &'static str) -> Decline {
    Decline { code: "card_declined", reason: Some(reason), message }
}

pub(super) const GENERIC: Decline = declined("generic_decline", "Your card was declined.");
pub(super) const NO_FUNDS: Decline = declined("insufficient_funds", "Your card has insufficient funds.");
const LOST: Decline = declined("lost_card", "Your card was declined.");
const STOLEN: Decline = declined("stolen_card", "Your card was declined.");
const TOO_OFTEN: Decline = declined(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
);
pub(super) const EXPIRED: Decline =
    Decline { code: "expired_card", reason: Some("expired_card"), message: "Your card has expired." };
const CVC: Decline = Decline {
    code: "incorrect_cvc",
    reason: Some("incorrect_cvc"),
    message: "Your card's security code is incorrect.",
};
const PROCESSING: Decline = Decline {
    code: "processing_error",
    reason: Some("processing_error"),
    message: "An error occurred while processing your card. Try again in a little bit.",
};
pub(super) const AUTHENTICATE: Decline = Decline {
    code: "authentication_required",
    reason: Some("authentication_required"),
    message: "Your card was declined. This transaction requires authentication.",
};
/// A bank that gives a debit back.
pub(super) const DEBIT_FAILED: Decline = Decline {
    code: "payment_intent_payment_attempt_failed",
    reason: None,
    message: "The customer's bank account couldn't be debited.",
};

const CARD: Nature = Nature {
    kind: Kind::Card,
    brand: "visa",
    last4: "4242",
    challenge: Challenge::Never,
    refuses: Refuses::Nothing,
    refund: RefundEnd::Succeeds,
};

const fn refusing(last4: &'static str, decline: Decline) -> Nature {
    Nature { last4, refuses: Refuses::All(decline), ..CARD }
}

const fn challenging(last4: &'static str, challenge: Challenge) -> Nature {
    Nature { last4, challenge, ..CARD }
}

/// What a test payment method's name is the name of, or a card's number.
pub(super) fn named(name: &str) -> Option<Nature> {
    let name = name.strip_prefix("pm_card_").or(name.strip_prefix("tok_")).unwrap_or(name);
    Some(match name {
        "visa" | "4242424242424242" => CARD,
        "mastercard" | "5555555555554444" => Nature { brand: "mastercard", last4: "4444", ..CARD },
        "amex" | "378282246310005" => Nature { brand: "amex", last4: "0005", ..CARD },
        "visa_debit" | "4000056655665556" => Nature { last4: "5556", ..CARD },
        "chargeCustomerFail" | "4000000000000341" => {
            Nature { last4: "0341", refuses: Refuses::Charges(GENERIC), ..CARD }
        }
        "chargeDeclined" | "visa_chargeDeclined" | "4000000000000002" => refusing("0002", GENERIC),
        "chargeDeclinedInsufficientFunds" | "visa_chargeDeclinedInsufficientFunds" | "4000000000009995" => {
            refusing("9995", NO_FUNDS)
        }
        "chargeDeclinedLostCard" | "visa_chargeDeclinedLostCard" | "4000000000009987" => refusing("9987", LOST),
        "chargeDeclinedStolenCard" | "visa_chargeDeclinedStolenCard" | "4000000000009979" => refusing("9979", STOLEN),
        "chargeDeclinedVelocityLimitExceeded" | "visa_chargeDeclinedVelocityLimitExceeded" | "4000000000006975" => {
            refusing("6975", TOO_OFTEN)
        }
        "chargeDeclinedExpiredCard" | "4000000000000069" => refusing("0069", EXPIRED),
        "chargeDeclinedIncorrectCvc" | "4000000000000127" => refusing("0127", CVC),
        "chargeDeclinedProcessingError" | "4000000000000119" => refusing("0119", PROCESSING),
        "authenticationRequired" | "4000002760003184" => challenging("3184", Challenge::Always),
        "authenticationRequiredOnSetup" | "4000002500003155" => challenging("3155", Challenge::UntilSetUp),
        "authenticationRequiredSetupForOffSession" | "4000003800000446" => challenging("0446", Challenge::OnSession),
        "authenticationRequiredChargeDeclinedInsufficientFunds" | "4000008260003178" => {
            Nature { refuses: Refuses::Charges(NO_FUNDS), ..challenging("3178", Challenge::UntilSetUp) }
        }
        "threeDSecure2Required" | "4000000000003220" => challenging("3220", Challenge::UntilSetUp),
        "threeDSecureRequired" | "4000000000003063" => challenging("3063", Challenge::UntilSetUp),
        "threeDSecureOptional" | "4000000000003055" => Nature { last4: "3055", ..CARD },
        "threeDSecureRequiredChargeDeclined" | "4000008400001629" => {
            Nature { refuses: Refuses::Charges(GENERIC), ..challenging("1629", Challenge::UntilSetUp) }
        }
        "pendingRefund" | "4000000000007726" => Nature { last4: "7726", refund: RefundEnd::Pending, ..CARD },
        "refundFail" | "4000000000005126" => Nature { last4: "5126", refund: RefundEnd::Fails, ..CARD },
        _ => return None,
    })
}

/// What an IBAN's account does; `None` if it isn't one of the test accounts.
pub(super) fn account(iban: &str) -> Option<Nature> {
    let debit = |last4, refuses| Nature { kind: Kind::SepaDebit, brand: "", last4, refuses, ..CARD };
    Some(match iban {
        "DE89370400440532013000" => debit("3000", Refuses::Nothing),
        "AT321904300235473204" => debit("3204", Refuses::Nothing),
        "DE62370400440532013001" => debit("3001", Refuses::Charges(DEBIT_FAILED)),
        "AT861904300235473202" => debit("3202", Refuses::Charges(DEBIT_FAILED)),
        _ => return None,
    })
}

/// A decline by the name of its code, for a payment method that goes bad later.
pub(super) fn decline(code: &str) -> Option<Decline> {
    let all = [GENERIC, NO_FUNDS, LOST, STOLEN, TOO_OFTEN, EXPIRED, CVC, PROCESSING, AUTHENTICATE];
    all.into_iter().find(|decline| decline.reason == Some(code))
}
