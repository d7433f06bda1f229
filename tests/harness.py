"""Starts programs, and the platform among them, for the tests of all Python clients.

The binaries are those that `cargo build -p lmo -p lmo-bench` leaves in target/debug; LMO_TARGET_DIR names another
folder.
"""

import contextlib
import json
import os
import pathlib
import queue
import re
import subprocess
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BINARIES = pathlib.Path(os.environ.get("LMO_TARGET_DIR", HERE / "../target/debug")).resolve()


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


@contextlib.contextmanager
def running(command, **options):
    """A program for as long as the block takes."""
    program = Program(command, **options)
    try:
        yield program
    finally:
        program.stop()


class Platform:
    """A running platform with its tenants' keys."""

    def __init__(self, base, keys):
        self.base, self.keys = base, keys

    def openai(self, tenant="demo"):
        """Address and key, as OpenAI's clients take them: all that is changed of them."""
        return {"base_url": f"{self.base}/v1", "api_key": self.keys[tenant]}

    def anthropic(self, tenant="demo"):
        """Address and key, as Anthropic's clients take them: all that is changed of them."""
        return {"base_url": self.base, "api_key": self.keys[tenant]}

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


@contextlib.contextmanager
def running_platform(folder, catalogue, tenants):
    """A platform in a folder, with a catalogue's text and tenants by name; at its end its books must agree."""
    models = pathlib.Path(folder) / "models.toml"
    models.write_text(catalogue)
    env = {
        "LMO_DATA_DIR": f"{folder}/data",
        "LMO_MODELS": str(models),
        "OLLAMA_HOST": "127.0.0.1:9",
        "STANDIN_KEY": "any",
    }
    place = {"env": env, "cwd": folder}
    keys = {}
    for name, limits in tenants.items():
        command = [BINARIES / "lmo", "tenant", "create", "--name", name, *limits]
        made = subprocess.run(command, check=True, capture_output=True, text=True, **place)
        keys[name] = json.loads(made.stdout.splitlines()[-1])["api_key"]
    with running([BINARIES / "lmo", "--port", "0"], **place) as lmo:
        base = lmo.wait_for(r"on (http://\S+)")
        keys["demo"] = lmo.wait_for(r"(lmo_\S+)")
        yield Platform(base, keys)
    books = subprocess.run([BINARIES / "lmo", "books"], capture_output=True, text=True, **place)
    assert books.returncode == 0, books.stdout
