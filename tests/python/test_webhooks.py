"""Webhooks, as a receiver checks them with the library of Standard Webhooks."""

import contextlib
import http.server
import json
import queue
import threading
import urllib.request

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


@contextlib.contextmanager
def receiver():
    """An address, and a queue of (header fields, body) that came there."""
    came = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            came.put((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", came
    finally:
        server.shutdown()


def call(platform, path, body=None):
    headers = {"Authorization": f"Bearer {platform.keys['demo']}", "Content-Type": "application/json"}
    data = json.dumps(body or {}).encode()
    request = urllib.request.Request(f"{platform.base}/api/tenant{path}", data, headers, method="POST")
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def test_what_is_told_verifies_with_the_official_library(platform):
    with receiver() as (url, came):
        made = call(platform, "/webhooks", {"url": url, "events": ["key.created"]})
        key = call(platform, "/keys", {"name": "for webhooks"})
        headers, body = came.get(timeout=30)
        told = Webhook(made["secret"]).verify(body, headers)
        assert told["type"] == "key.created" and told["data"]["id"] == key["id"]
        with pytest.raises(WebhookVerificationError):
            Webhook(made["secret"]).verify(body.replace(b"created", b"revoked"), headers)


def test_while_a_secret_is_replaced_both_verify(platform):
    with receiver() as (url, came):
        made = call(platform, "/webhooks", {"url": url, "events": ["key.revoked"]})
        rotated = call(platform, f"/webhooks/{made['id']}/rotate")
        call(platform, f"/webhooks/{made['id']}/test")
        headers, body = came.get(timeout=30)
        for secret in (made["secret"], rotated["secret"]):
            assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"

        last = call(platform, f"/webhooks/{made['id']}/rotate", {"overlap_seconds": 0})
        call(platform, f"/webhooks/{made['id']}/test")
        headers, body = came.get(timeout=30)
        assert Webhook(last["secret"]).verify(body, headers)["type"] == "webhook.test"
        with pytest.raises(WebhookVerificationError):
            Webhook(rotated["secret"]).verify(body, headers)
