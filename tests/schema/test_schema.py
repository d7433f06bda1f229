"""schemathesis against every operation of the OpenAPI document: whatever is sent, no answer is a server's error, and none
is of a status, a type or a shape that the document doesn't say."""

import pathlib
import subprocess
import sys

CONFIG = pathlib.Path(__file__).parent / "schemathesis.toml"


def schemathesis(platform, credential, *options):
    command = [pathlib.Path(sys.executable).parent / "schemathesis", "--config-file", CONFIG, "run"]
    command += [f"{platform.base}/openapi.json", "--header", f"Authorization: Bearer {credential}"]
    # The same requests each time: a failure can be looked at.
    command += ["--workers", "2", "--seed", "1", "--generation-database", "none"]
    command += ["--no-color", "--continue-on-failure", *options]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr


def test_a_key_that_may_do_everything_meets_nothing_that_is_not_documented(platform):
    phases = "examples,coverage,fuzzing"
    schemathesis(platform, platform.keys["schema"], "--phases", phases, "--max-examples", "5")


def test_a_stranger_meets_nothing_that_is_not_documented(platform):
    schemathesis(platform, "a.b.c", "--phases", "examples,fuzzing", "--max-examples", "3")
