"""The platform that most tests share: the provider's stand-in is behind it, in every wire format."""

import tempfile

import pytest
from harness import BINARIES, HERE, running, running_platform

# Tenants with the limits that they are created with. A test that counts has a tenant of its own.
TENANTS = {
    "slow": ["--requests-per-minute", "2"],
    "slow_claude": ["--requests-per-minute", "2"],
    "poor": ["--monthly-tokens", "100"],
    "poor_claude": ["--monthly-tokens", "100"],
    "limited": ["--requests-per-minute", "1000", "--tokens-per-minute", "1000000"],
}
COUNTED = """
counted patient leaver canceller crowd embedder patient_responder leaving_responder
counted_claude patient_claude impatient_claude leaving_claude cancelling_claude
chain_chat chain_responses chain_messages index schema
""".split()


@pytest.fixture(scope="session")
def platform():
    with tempfile.TemporaryDirectory() as folder, running([BINARIES / "standin"]) as standin:
        address = standin.wait_for(r"(http://[^/\s]+)")
        catalogue = (HERE / "models.toml").read_text().replace("{standin}", address)
        with running_platform(folder, catalogue, TENANTS | {name: [] for name in COUNTED}) as platform:
            yield platform
