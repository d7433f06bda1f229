"""LMO's own check of what Stripe tells, with signatures that the official SDK makes."""

import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from conftest import SECRET
from harness import BINARIES, running
from stripe import WebhookSignature


@pytest.fixture(scope="module")
def webhook(tmp_path_factory):
    """The address that Stripe posts to, of a platform that knows the secret."""
    folder = tmp_path_factory.mktemp("lmo")
    env = {"LMO_DATA_DIR": str(folder / "data"), "OLLAMA_HOST": "127.0.0.1:9"}
    command = [BINARIES / "lmo", "billing", "stripe"]
    for option, text in [("secret-key", "sk_test_official"), ("webhook-secret", SECRET)]:
        (folder / option).write_text(text)
        command += [f"--{option}-file", str(folder / option)]
    subprocess.run([*command, "--api-base", "http://127.0.0.1:9"], check=True, env=env, cwd=folder)
    with running([BINARIES / "lmo", "--port", "0"], env=env, cwd=folder) as lmo:
        yield lmo.wait_for(r"on (http://\S+)") + "/webhooks/stripe"


def post(url, body, header):
    request = urllib.request.Request(url, body.encode(), {"Stripe-Signature": header, "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


# As Stripe writes it: the signature is of the bytes, white space and all.
BODY = json.dumps({"id": "evt_1", "object": "event", "type": "balance.available", "data": {"object": {"name": "Größe"}}}, indent=2, ensure_ascii=False)


def sign(secret, at, body):
    return f"t={at},v1={WebhookSignature._compute_signature(f'{at}.{body}', secret)}"


def test_what_the_sdk_signs_is_believed(webhook):
    now = int(time.time())
    assert post(webhook, BODY, sign(SECRET, now, BODY)) == 200
    rolled = f"{sign('whsec_new', now, BODY)},v1={sign(SECRET, now, BODY).split('v1=')[1]},v0=00"
    assert post(webhook, BODY, rolled) == 200
    assert post(webhook, BODY, sign(SECRET, now - 250, BODY)) == 200


def test_what_the_sdk_would_refuse_is_refused(webhook):
    now = int(time.time())
    good = sign(SECRET, now, BODY)
    for body, header in [
        (BODY.replace("Größe", "Grösse"), good),
        (BODY, sign("whsec_other", now, BODY)),
        (BODY, sign(SECRET, now - 400, BODY)),
        (BODY, good.replace("v1=", "v0=")),
        (BODY, good.replace(f"t={now}", f"t={now + 1}")),
        (BODY, ""),
    ]:
        assert post(webhook, body, header) == 400, header
