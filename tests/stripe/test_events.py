"""Webhooks of the stand-in, as the official SDK checks them."""

import contextlib
import http.server
import queue
import threading
import time

import pytest
import stripe
from conftest import SECRET


@contextlib.contextmanager
def receiver(*statuses):
    """An address, and a queue of (signature, body) that came there. It answers by these statuses, then 200."""
    came, answers = queue.Queue(), list(statuses)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            came.put((self.headers["stripe-signature"], body))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/webhooks/stripe", came
    finally:
        server.shutdown()


def event(came):
    signature, body = came.get(timeout=30)
    return stripe.Webhook.construct_event(body, signature, SECRET)


def test_events_verify_and_say_what_happened(standin, charge):
    with receiver() as (url, came):
        standin.post("/_hook", {"url": url, "secret": SECRET})
        intent = charge(key="told", invoice="inv_told")
        events = [event(came) for _ in range(3)]
        kinds = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
        assert [event.type for event in events] == kinds
        paid = events[-1]
        assert paid.data.object.id == intent.id and paid.data.object.metadata.invoice == "inv_told"
        assert (paid.request.idempotency_key, paid.request.id) == ("told", intent.last_response.request_id)


def test_what_nobody_took_is_posted_again(standin, client):
    with receiver(500, 503) as (url, came):
        standin.post("/_hook", {"url": url, "secret": SECRET})
        customer = client.v1.customers.create({})
        told = [event(came) for _ in range(3)]
        assert {event.id for event in told} == {told[0].id} and told[0].data.object.id == customer.id
        end = time.monotonic() + 30
        while client.v1.events.retrieve(told[0].id).pending_webhooks and time.monotonic() < end:
            time.sleep(0.05)
        assert client.v1.events.retrieve(told[0].id).pending_webhooks == 0


def test_forged_and_old_signatures_do_not_verify(standin, client):
    with receiver() as (url, came):
        standin.post("/_hook", {"url": url, "secret": SECRET})
        client.v1.customers.create({})
        told = event(came)
        for signature in ("wrong", "old"):
            standin.post("/_deliver", {"event": told.id, "signature": signature})
            with pytest.raises(stripe.SignatureVerificationError):
                event(came)
        assert standin.post("/_deliver", {"event": told.id}) == {"status": 200}
        assert event(came).id == told.id


@pytest.mark.parametrize("fault", ["webhook_duplicated", "webhook_reversed", "webhook_forged"])
def test_events_come_as_they_should_not(standin, charge, fault):
    with receiver() as (url, came):
        standin.post("/_hook", {"url": url, "secret": SECRET})
        standin.fault(fault, "/v1/payment_intents")
        charge()
        kinds, refused = [], 0
        for _ in range(3 if fault == "webhook_reversed" else 6):
            try:
                kinds.append(event(came).type)
            except stripe.SignatureVerificationError:
                refused += 1
        right = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
        wanted = {
            "webhook_duplicated": ([kind for kind in right for _ in range(2)], 0),
            "webhook_reversed": (right[::-1], 0),
            "webhook_forged": (right, 3),
        }
        assert (kinds, refused) == wanted[fault]


def test_a_webhook_may_be_before_the_answer(standin, charge):
    with receiver() as (url, came):
        standin.post("/_hook", {"url": url, "secret": SECRET})
        standin.fault("webhook_first", "/v1/payment_intents")
        intent = charge()
        assert came.qsize() == 3
        assert [event(came).data.object.id for _ in range(3)][-1] == intent.id


def test_events_are_listed_by_type(client, charge):
    intent = charge()
    listed = client.v1.events.list({"type": "payment_intent.*", "limit": 2})
    assert [event.type for event in listed.data] == ["payment_intent.succeeded", "payment_intent.created"]
    assert listed.data[0].data.object == client.v1.payment_intents.retrieve(intent.id)
