"""Stripe's stand-in, and the official SDK pointed at it: address and key are all that is changed of it."""

import json
import urllib.request

import pytest
import stripe
from harness import BINARIES, running

SECRET = "whsec_official"


class Standin:
    """The stand-in, by the routes that Stripe doesn't have."""

    def __init__(self, address):
        self.address = address

    def post(self, path, body=None, method="POST"):
        request = urllib.request.Request(f"{self.address}{path}", json.dumps(body).encode(), method=method)
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def get(self, path):
        with urllib.request.urlopen(f"{self.address}{path}") as response:
            return json.load(response)

    def fault(self, fault, path, **more):
        self.post("/_faults", {"fault": fault, "path": path, **more})


@pytest.fixture(scope="session")
def address():
    with running([BINARIES / "lmo-bench", "stripe"]) as program:
        yield program.wait_for(r"(http://\S+)")


@pytest.fixture
def standin(address):
    standin = Standin(address)
    yield standin
    standin.post("/_faults", method="DELETE")
    standin.post("/_hook", None)


@pytest.fixture
def client(address):
    return stripe.StripeClient("sk_test_official", base_addresses={"api": address}, max_network_retries=2)


@pytest.fixture
def customer(client):
    return client.v1.customers.create({"name": "Größe & Co", "email": "buyer@example.com", "metadata": {"tenant": "tnt_1"}})


@pytest.fixture
def card(client, customer):
    """A card that is set up."""
    intent = client.v1.setup_intents.create(
        {"customer": customer.id, "payment_method": "pm_card_visa", "payment_method_types": ["card"], "confirm": True}
    )
    assert intent.status == "succeeded"
    return intent.payment_method


@pytest.fixture
def charge(client, customer, card):
    """Charges the customer without it being there."""

    def charge(amount=1099, key=None, method=None, **metadata):
        asked = {
            "amount": amount,
            "currency": "eur",
            "customer": customer.id,
            "payment_method": method or card,
            "payment_method_types": ["card"],
            "off_session": True,
            "confirm": True,
            "metadata": metadata,
        }
        return client.v1.payment_intents.create(asked, {"idempotency_key": key} if key else None)

    return charge
