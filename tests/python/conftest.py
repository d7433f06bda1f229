"""Starts the platform with the provider's stand-in behind it, and gives tests its base URL and keys.

The binaries are those that `cargo build -p lmo -p lmo-bench` leaves in target/debug; LMO_TARGET_DIR names another folder.
"""

import json
import os
import pathlib
import queue
import re
import subprocess
import tempfile
import threading
import time
import urllib.request

import openai
import pytest

HERE = pathlib.Path(__file__).resolve().parent
BINARIES = pathlib.Path(os.environ.get("LMO_TARGET_DIR", HERE / "../../target/debug")).resolve()

MODELS = """
[providers.lmo]
kind = "echo"
[providers.standin]
kind = "openai"
base_url = "{standin}"
first_byte_timeout_ms = 10000
idle_timeout_ms = 10000
[models."lmo/echo"]
provider = "lmo"
context_window = 100000
price = {{ input = 0, output = 0 }}
[models."standin/small"]
provider = "standin"
upstream = "small"
context_window = 128000
max_output_tokens = 4096
capabilities = ["chat", "stream", "tools", "json", "images"]
price = {{ input = 0.15, cached_input = 0.075, output = 0.6 }}
overhead_tokens = 8
[models."standin/tiny"]
provider = "standin"
upstream = "tiny"
context_window = 64
max_output_tokens = 32
price = {{ input = 1, output = 2 }}
overhead_tokens = 8
[aliases]
default = "standin/small"
fast = "standin/small"
"""

# Tenants with the limits that they are created with.
TENANTS = {
    "slow": ["--requests-per-minute", "2"],
    "poor": ["--monthly-tokens", "100"],
    "limited": ["--requests-per-minute", "1000", "--tokens-per-minute", "1000000"],
    "counted": [],
    "patient": [],
    "leaver": [],
    "crowd": [],
}


class Program:
    """A running program, and what it printed."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def wait_for(self, pattern, seconds=60):
        """The first match of a pattern in what it prints."""
        seen, end = "", time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                seen += self.lines.get(timeout=0.1)
            except queue.Empty:
                if self.process.poll() is not None:
                    break
            if match := re.search(pattern, seen):
                return match[1]
        raise AssertionError(f"`{pattern}` was not printed: {seen}")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


class Platform:
    """A running platform with its tenants' keys."""

    def __init__(self, base, keys):
        self.base, self.keys = base, keys

    def client(self, tenant="demo", **options):
        """The official client, with nothing changed but base URL and key."""
        return openai.OpenAI(base_url=f"{self.base}/v1", api_key=self.keys[tenant], **options)

    def async_client(self, tenant="demo", **options):
        return openai.AsyncOpenAI(base_url=f"{self.base}/v1", api_key=self.keys[tenant], **options)

    def usage(self, tenant, requests):
        """This month's usage of a tenant, once it counts so many requests."""
        url = f"{self.base}/api/tenant/usage?granularity=month"
        ask = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.keys[tenant]}"})
        total, end = None, time.monotonic() + 15
        while time.monotonic() < end:
            with urllib.request.urlopen(ask) as response:
                total = json.load(response)["total"]
            if total["requests"] == requests:
                return total
            time.sleep(0.1)
        raise AssertionError(f"{requests} requests were not counted: {total}")


@pytest.fixture(scope="session")
def platform():
    with tempfile.TemporaryDirectory() as folder:
        standin = Program([BINARIES / "standin"])
        models = pathlib.Path(folder) / "models.toml"
        models.write_text(MODELS.format(standin=standin.wait_for(r"(http://\S+)")))
        env = {"LMO_DATA_DIR": f"{folder}/data", "LMO_MODELS": str(models), "OLLAMA_HOST": "127.0.0.1:9"}
        keys = {}
        for name, limits in TENANTS.items():
            command = [BINARIES / "lmo", "tenant", "create", "--name", name, *limits]
            made = subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True, text=True)
            keys[name] = json.loads(made.stdout.splitlines()[-1])["api_key"]
        lmo = Program([BINARIES / "lmo", "--port", "0"], env=env, cwd=folder)
        base = lmo.wait_for(r"on (http://\S+)")
        keys["demo"] = lmo.wait_for(r"(lmo_\S+)")
        yield Platform(base, keys)
        lmo.stop()
        standin.stop()
        books = subprocess.run([BINARIES / "lmo", "books"], env=env, cwd=folder, capture_output=True, text=True)
        assert books.returncode == 0, books.stdout


@pytest.fixture
def client(platform):
    return platform.client()
