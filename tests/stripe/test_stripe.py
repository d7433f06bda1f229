"""What the official SDK makes of the stand-in, and the stand-in of the official SDK."""

import pytest
import stripe


def attach(client, customer, token):
    return client.v1.payment_methods.attach(token, {"customer": customer.id}).id


def test_a_customer_is_made_changed_found_and_deleted(client, customer):
    assert customer.name == "Größe & Co" and customer.metadata.to_dict() == {"tenant": "tnt_1"}
    changed = client.v1.customers.update(customer.id, {"name": "", "metadata": {"tenant": "", "new": "1"}})
    assert changed.name is None and changed.metadata.to_dict() == {"new": "1"}
    assert client.v1.customers.retrieve(customer.id) == changed
    assert client.v1.customers.delete(customer.id).deleted
    assert client.v1.customers.retrieve(customer.id).deleted
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.v1.customers.retrieve("cus_none")
    assert (error.value.http_status, error.value.code) == (404, "resource_missing")


def test_a_card_is_set_up_and_charged(client, customer, card, charge):
    assert [method.id for method in client.v1.customers.payment_methods.list(customer.id)] == [card]
    intent = charge(invoice="inv_charged")
    assert (intent.status, intent.amount_received) == ("succeeded", 1099)
    whole = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge.customer", "payment_method"]})
    assert whole.latest_charge.paid and whole.latest_charge.customer.id == customer.id
    assert whole.payment_method.card.last4 == "4242"
    assert client.v1.balance.retrieve().available[0].currency == "eur"


def test_a_decline_is_a_card_error_with_the_payment_in_it(client, customer, charge):
    method = attach(client, customer, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as error:
        charge(method=method, key="declined")
    declined = error.value
    assert (declined.http_status, declined.code) == (402, "card_declined")
    assert declined.error.decline_code == "generic_decline"
    intent = declined.error.payment_intent
    assert intent["status"] == "requires_payment_method" and intent["last_payment_error"]["charge"].startswith("ch_")
    # It is the answer to this key, for good.
    with pytest.raises(stripe.CardError) as again:
        charge(method=method, key="declined")
    assert again.value.error.payment_intent["id"] == intent["id"]
    assert again.value.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    "token, decline",
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedLostCard", "lost_card"),
    ],
)
def test_some_cards_cannot_even_be_attached(client, customer, token, decline):
    with pytest.raises(stripe.CardError) as error:
        attach(client, customer, token)
    assert error.value.error.decline_code == decline


def test_a_card_that_wants_authentication_is_set_up_with_it(client, customer, charge, standin):
    asked = {"customer": customer.id, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    setup = client.v1.setup_intents.create({**asked, "payment_method_types": ["card"]})
    assert (setup.status, setup.next_action.type) == ("requires_action", "use_stripe_sdk")
    standin.post("/_authenticate", {"intent": setup.id})
    setup = client.v1.setup_intents.retrieve(setup.id)
    assert setup.status == "succeeded"
    assert charge(method=setup.payment_method).status == "succeeded"


def test_a_charge_that_wants_its_holder_is_refused_then_paid_by_a_browser(client, customer, charge, standin, address):
    method = attach(client, customer, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as error:
        charge(method=method)
    assert error.value.code == error.value.error.decline_code == "authentication_required"
    intent = error.value.error.payment_intent
    browser = stripe.StripeClient("pk_test_browser", base_addresses={"api": address})
    secret = {"client_secret": intent["client_secret"]}
    with pytest.raises(stripe.PermissionError):
        browser.v1.customers.retrieve(customer.id)
    with pytest.raises(stripe.InvalidRequestError):
        browser.v1.payment_intents.confirm(intent["id"], {"client_secret": "wrong", "payment_method": method})
    waits = browser.v1.payment_intents.confirm(intent["id"], {**secret, "payment_method": method, "return_url": "https://a.example"})
    assert (waits.status, waits.next_action.redirect_to_url.return_url) == ("requires_action", "https://a.example")
    standin.post("/_authenticate", {"intent": intent["id"], "well": False})
    failed = browser.v1.payment_intents.retrieve(intent["id"], secret)
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    browser.v1.payment_intents.confirm(intent["id"], {**secret, "payment_method": method})
    standin.post("/_authenticate", {"intent": intent["id"]})
    assert client.v1.payment_intents.retrieve(intent["id"]).status == "succeeded"


def test_a_debit_is_under_way_first(client, customer, standin):
    for iban, end in [("DE89370400440532013000", "succeeded"), ("AT861904300235473202", "requires_payment_method")]:
        method = client.v1.payment_methods.create({"type": "sepa_debit", "sepa_debit": {"iban": iban}})
        client.v1.payment_methods.attach(method.id, {"customer": customer.id})
        asked = {"amount": 500, "currency": "eur", "customer": customer.id, "payment_method": method.id, "confirm": True}
        intent = client.v1.payment_intents.create({**asked, "payment_method_types": ["sepa_debit"]})
        assert intent.status == "processing"
        standin.post("/_settle", {"id": intent.id})
        assert client.v1.payment_intents.retrieve(intent.id).status == end


def test_a_key_does_once_whatever_it_does(client, charge, standin):
    first = charge(key="once", invoice="inv_once")
    again = charge(key="once", invoice="inv_once")
    assert again.id == first.id and again.last_response.headers["idempotent-replayed"] == "true"
    assert again.last_response.headers["original-request"] == first.last_response.request_id
    with pytest.raises(stripe.IdempotencyError) as error:
        charge(key="once", amount=1100, invoice="inv_once")
    assert error.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({}, {"idempotency_key": "once"})
    assert standin.get("/_book")["inv_once"] == {
        "intents": 1, "succeeded": 1, "processing": 0, "charged": {"eur": 1099}, "refunded": {},
    }
    standin.post("/_clock", {"advance": 24 * 3600})
    assert charge(key="once", invoice="inv_once").id != first.id


def test_what_is_refused_before_it_began_does_not_use_up_its_key(charge):
    with pytest.raises(stripe.InvalidRequestError) as error:
        charge(key="early", amount=0)
    assert error.value.param == "amount"
    assert charge(key="early").status == "succeeded"


@pytest.mark.parametrize("fault", ["unreached", "lost", "cut_body", "locked"])
def test_the_sdk_tries_again_and_pays_once(charge, standin, fault):
    standin.fault(fault, "/v1/payment_intents")
    intent = charge(invoice=f"inv_{fault}")
    assert intent.status == "succeeded"
    assert standin.get("/_book")[f"inv_{fault}"]["intents"] == 1
    replayed = intent.last_response.headers.get("idempotent-replayed") == "true"
    assert replayed == (fault in ("lost", "cut_body"))


@pytest.mark.parametrize("fault, intents", [("failed", 0), ("failed_after", 1)])
def test_a_failure_is_an_answer_to_its_key(client, charge, standin, fault, intents):
    standin.fault(fault, "/v1/payment_intents")
    with pytest.raises(stripe.APIError) as error:
        charge(key=fault, invoice=f"inv_{fault}")
    # The SDK has asked again, and was told that this helps nobody.
    assert error.value.http_status == 500 and error.value.headers["stripe-should-retry"] == "false"
    found = client.v1.payment_intents.search({"query": f"metadata['invoice']:'inv_{fault}'"})
    assert len(found.data) == intents


def test_too_many_requests_are_told_to_wait(client, standin):
    standin.fault("rate_limited", "/v1/balance", times=9, retry_after=3)
    with pytest.raises(stripe.RateLimitError) as error:
        stripe.StripeClient("sk_test_a", base_addresses={"api": standin.address}, max_network_retries=0).v1.balance.retrieve()
    assert error.value.headers["retry-after"] == "3"


def test_lists_are_paged_to_their_end_and_filtered(client, customer, charge):
    made = [charge(page="p").id for _ in range(5)]
    listed = client.v1.payment_intents.list({"customer": customer.id, "limit": 2})
    assert len(listed.data) == 2 and listed.has_more
    assert [intent.id for intent in listed.auto_paging_iter()] == made[::-1]
    after = client.v1.payment_intents.list({"customer": customer.id, "ending_before": made[2], "limit": 1})
    assert [intent.id for intent in after.data] == [made[3]] and after.has_more
    future = {"customer": customer.id, "created": {"gte": listed.data[0].created + 1000}}
    assert not client.v1.payment_intents.list(future).data


def test_the_search_pages_too_and_is_told_late(client, charge, standin):
    made = {charge(run="searched").id for _ in range(3)}
    query = {"query": "metadata['run']:'searched' AND status:'succeeded'", "limit": 2}
    assert {intent.id for intent in client.v1.payment_intents.search(query).auto_paging_iter()} == made
    standin.post("/_clock", {"search_lag": 60})
    assert not client.v1.payment_intents.search(query).data
    standin.post("/_clock", {"advance": 61})
    assert len(client.v1.payment_intents.search(query).data) == 2
    standin.post("/_clock", {"search_lag": 0})


def test_refunds_give_back_what_was_taken_and_no_more(client, customer, charge, standin):
    intent = charge(invoice="inv_refunded")
    part = client.v1.refunds.create({"payment_intent": intent.id, "amount": 99, "metadata": {"note": "1"}})
    assert part.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1001})
    client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert error.value.code == "charge_already_refunded"
    assert client.v1.charges.retrieve(intent.latest_charge).refunded
    assert standin.get("/_book")["inv_refunded"]["refunded"] == {"eur": 1099}
    assert len(client.v1.refunds.list({"payment_intent": intent.id}).data) == 2
    back = charge(method=attach(client, customer, "pm_card_refundFail"))
    refund = client.v1.refunds.create({"payment_intent": back.id})
    standin.post("/_settle", {"id": refund.id})
    assert client.v1.refunds.retrieve(refund.id).status == "failed"


def test_a_payment_is_reserved_then_captured_or_canceled(client, card, customer):
    asked = {"amount": 1000, "currency": "usd", "customer": customer.id, "payment_method": card, "confirm": True}
    asked |= {"payment_method_types": ["card"], "capture_method": "manual"}
    intent = client.v1.payment_intents.create(asked)
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1000)
    taken = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 700})
    assert (taken.status, taken.amount_received) == ("succeeded", 700)
    assert client.v1.payment_intents.cancel(client.v1.payment_intents.create(asked).id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.v1.payment_intents.cancel(intent.id)
    assert error.value.code == "payment_intent_unexpected_state"


def test_a_card_goes_bad_and_a_detached_one_is_gone(client, card, charge, standin):
    standin.post("/_decline", {"payment_method": card, "decline": "insufficient_funds"})
    with pytest.raises(stripe.CardError) as error:
        charge()
    assert error.value.error.decline_code == "insufficient_funds"
    standin.post("/_decline", {"payment_method": card, "decline": None})
    assert charge().status == "succeeded"
    assert client.v1.payment_methods.detach(card).customer is None
    with pytest.raises(stripe.InvalidRequestError):
        charge()


def test_what_stripe_would_refuse_is_refused(client, customer, address, charge):
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.raw_request("post", "/v1/customers", nmae="x")
    assert (error.value.code, error.value.param) == ("parameter_unknown", "nmae")
    with pytest.raises(stripe.InvalidRequestError) as error:
        charge(amount=49)
    assert error.value.code == "amount_too_small"
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.v1.payment_intents.create({"amount": 100, "currency": "eur", "off_session": True})
    assert error.value.param == "off_session"
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.v1.payment_intents.create({"amount": 100, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True})
    assert error.value.param == "return_url"
    with pytest.raises(stripe.AuthenticationError):
        stripe.StripeClient("sk_live_1", base_addresses={"api": address}).v1.balance.retrieve()
    with pytest.raises(stripe.InvalidRequestError):
        client.raw_request("get", "/v1/subscriptions")
