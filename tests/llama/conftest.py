"""An inference server that nobody here wrote, llama-cpp-python's, behind the platform."""

import sys
import tempfile

import pytest
from harness import HERE, running, running_platform

MODELS = """
[providers.lmo]
kind = "echo"
[providers.llama]
kind = "openai"
base_url = "{address}/v1"
breaker = {{ failures = 1_000_000 }}
[models."llama/noise"]
provider = "llama"
upstream = "noise"
context_window = 8192
max_output_tokens = 6000
price = {{ input = 0.1, output = 0.4 }}
[models."llama/noise-embed"]
provider = "llama"
upstream = "noise"
context_window = 512
capabilities = ["embed"]
dimensions = 64
price = {{ input = 0.1 }}
"""
TENANTS = {name: [] for name in ["counted", "streamer", "leaver", "embedder"]}


@pytest.fixture(scope="session")
def llama():
    """The server with its tiny model."""
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/noise.gguf"
        with running([sys.executable, HERE / "llama/make_gguf.py", model]) as made:
            assert made.process.wait(timeout=60) == 0
        # One request at a time, and a second one waits; by default it would end the first.
        options = {
            "model": model,
            "model_alias": "noise",
            "n_ctx": 8192,
            "n_threads": 1,
            "n_threads_batch": 1,
            "embedding": "true",
            "interrupt_requests": "false",
            "host": "127.0.0.1",
            "port": 0,
        }
        command = [sys.executable, "-u", "-m", "llama_cpp.server"]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        with running(command) as server:
            server.address = server.wait_for(r"running on (http://\S+)")
            yield server


@pytest.fixture(scope="session")
def platform(llama):
    with tempfile.TemporaryDirectory() as folder:
        with running_platform(folder, MODELS.format(address=llama.address), TENANTS) as platform:
            yield platform
