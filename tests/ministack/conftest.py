"""AWS as ministack plays it, with LMO's table, stream, catalogue and a tenant in it."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import zipfile

import boto3
import pytest
from harness import BINARIES, running

PACKAGES = pathlib.Path(os.environ.get("LMO_PACKAGES", BINARIES / "../lambda")).resolve()
CATALOGUE = '[providers.lmo]\nkind = "echo"\n[models."lmo/echo"]\nprovider = "lmo"\ncontext_window = 100000\n' \
            'price = { input = 1, output = 2 }\n[aliases]\ndefault = "lmo/echo"\n'


class Cloud:
    """An endpoint, and what an operator does with it."""

    def __init__(self, endpoint, folder):
        self.folder = folder
        self.env = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        self.session = boto3.Session("test", "test", region_name="us-east-1")
        self.endpoint = endpoint
        self.functions = self.client("lambda")

    def client(self, service):
        return self.session.client(service, endpoint_url=self.endpoint)

    def lmo(self, *arguments, check=True):
        """What an operator's command prints, as JSON."""
        command = [BINARIES / "lmo", *arguments, "--aws"]
        done = subprocess.run(command, check=check, capture_output=True, text=True, env=self.env, cwd=self.folder)
        return json.loads(done.stdout.splitlines()[-1])

    def deploy(self, name, package):
        """A function of Amazon's own Linux, from a zip."""
        variables = {
            "LMO_TABLE": "lmo",
            "LMO_STREAM": "lmo-usage",
            "LMO_ISSUER": "https://lmo.example",
            "LMO_MAIL_FROM": "lmo@example.com",
        }
        self.functions.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role="arn:aws:iam::000000000000:role/lmo",
            Code={"ZipFile": package},
            Timeout=60,
            Environment={"Variables": self.env | variables},
        )

    def invoke(self, name, event):
        """What a function answers."""
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(event))
        payload = json.load(answer["Payload"])
        assert "FunctionError" not in answer, payload
        return payload


def built(name, folder):
    """A function of the debug build as a zip, without its symbols: those are most of its 100 MB."""
    bootstrap, package = folder / "bootstrap", folder / f"{name}.zip"
    subprocess.run(["strip", "-o", bootstrap, BINARIES / f"lmo-{name}"], check=True)
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(bootstrap, "bootstrap")
    return package.read_bytes()


def packaged(name):
    """A function as `cargo xtask package` leaves it."""
    return (PACKAGES / f"lmo-{name}" / "bootstrap.zip").read_bytes()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ministack")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    env = os.environ | {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AWS_ENDPOINT_URL": endpoint}
    command = [pathlib.Path(sys.executable).with_name("ministack")]
    with running(command, env=env, cwd=folder):
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        cloud = Cloud(endpoint, folder)
        cloud.lmo("init")
        (folder / "models.toml").write_text(CATALOGUE)
        cloud.lmo("models", "apply", "models.toml")
        yield cloud
