"""A Ray cluster of real nodes on one machine: each a raylet with its own processes and address.

Nodes can be killed, stopped, asked to go, cut off and added; all of it by process id.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .wires import Loopback, Namespaces, namespaces_work

ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
PORT = 6399
TRIES = 3  # of a node to start
# A node that is gone is noticed in seconds instead of minutes: see docs/CLUSTERS.md.
HEALTH = (
    '{"health_check_initial_delay_ms":500,"health_check_period_ms":500,'
    '"health_check_timeout_ms":500,"health_check_failure_threshold":3}'
)
KEEPALIVE = {
    "RAY_grpc_client_keepalive_time_ms": "2000",
    "RAY_grpc_client_keepalive_timeout_ms": "2000",
}
SMALL = ["--object-store-memory=100000000", "--disable-usage-stats", "--include-log-monitor=false"]
QUIET = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
}


def processes(session):
    """Ids and command lines of all processes of a session, which is that of one `ray start`."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            words = (folder / "cmdline").read_text().strip("\0 ").replace("\0", " ")
        except OSError:
            continue  # it has ended meanwhile
        if int(of) == session and state != "Z":
            found[int(folder.name)] = words
    return found


def wait_until(check, seconds, what):
    """Polls until `check()` is true; gives the seconds that it took."""
    started = time.monotonic()
    while not check():
        assert time.monotonic() < started + seconds, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


@dataclass
class Node:
    """One node: the `ray start --block` that made it, and all that came of it."""

    name: str
    address: str
    inside: list[str]  # what a command begins with to run on this node
    folder: Path
    command: list[str]
    environment: dict[str, str]
    hurt: bool = False
    tries: int = 0

    def begin(self):
        """Starts its processes, once more where a machine under load was too slow for Ray."""
        self.tries += 1
        with self.log.open("w") as log:
            self.block = subprocess.Popen(
                self.command, env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def log(self):
        """What `ray start` says."""
        return self.folder / "start.log"

    def process(self, program):
        """The id of the node's raylet or gcs_server; None if it has ended."""
        found = processes(self.block.pid).items()
        return next((pid for pid, words in found if _program(words) == program), None)

    def named(self, name):
        """The ids of the node's processes whose command line begins so."""
        found = processes(self.block.pid).items()
        return [pid for pid, words in found if words.startswith(name)]

    def signal(self, number, program="raylet"):
        """Sends a signal to one of the node's processes."""
        self.hurt = True
        os.kill(self.process(program), number)

    def power_off(self):
        """SIGKILL for every process at once, as when the machine is lost."""
        while found := processes(self.block.pid):
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.02)
        self.block.wait(timeout=30)

    def go(self):
        """SIGTERM for `ray start`, as Kubernetes and spot handlers do."""
        self.hurt = True
        self.block.send_signal(signal.SIGTERM)


def _program(words):
    return Path(words.split(" ")[0]).name


class Driver(subprocess.Popen):
    """A process that writes to files, since a pipe that nobody reads would stop it."""

    def __init__(self, command, environment, folder):
        folder.mkdir()
        self.files = [folder / "out", folder / "err"]
        with self.files[0].open("w") as out, self.files[1].open("w") as err:
            super().__init__(command, cwd=ROOT, env=environment, stdout=out, stderr=err)

    def said(self, seconds):
        """What it has printed, once it has ended."""
        self.wait(seconds)
        return [file.read_text() for file in self.files]


class Nodes:
    """A head without CPUs, and workers; a context that leaves nothing behind."""

    def __init__(self, wires=None):
        self.wires = wires or (Namespaces() if namespaces_work() else Loopback())
        self.can_cut = isinstance(self.wires, Namespaces)
        self.root = Path(tempfile.mkdtemp(prefix="dr", dir="/tmp"))  # sockets want short paths
        self.all, self.drivers = [], []
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("RAY_")
        }
        self.environment |= {**QUIET, **KEEPALIVE, "HOME": str(self.root)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end_drivers()
        for node in self.all:
            node.power_off()
        self.wires.close()
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def head(self):
        """The newest head."""
        return [node for node in self.all if "head" in node.name][-1]

    @property
    def address(self):
        """Of the head's GCS."""
        return f"{self.head.address}:{PORT}"

    @property
    def workers(self):
        """Those whose `ray start` runs."""
        return [n for n in self.all if "head" not in n.name and n.block.poll() is None]

    def start(self, workers, cpus=1):
        """A head, and then workers at the same time."""
        self.begin_head()
        for node in [self.begin(cpus) for _ in range(workers)]:
            self.wait_for(node)
        return self

    def begin_head(self):
        """A (new) head, which is waited for; one of before must be gone."""
        words = ["--head", f"--port={PORT}", "--num-cpus=0", "--include-dashboard=false"]
        node = self._launch("head", [*words, f"--system-config={HEALTH}"])
        self.wait_for(node)
        return node

    def begin(self, cpus=1):
        """Another worker, which is not waited for."""
        return self._launch("node", [f"--address={self.address}", f"--num-cpus={cpus}"])

    def add(self, cpus=1):
        """Another worker."""
        node = self.begin(cpus)
        self.wait_for(node)
        return node

    def _launch(self, kind, words):
        address, inside = self.wires.plug()
        name = f"{self.root.name}-{len(self.all)}-{kind}"
        folder = self.root / f"{len(self.all)}"
        folder.mkdir()
        command = [*inside, RAY, "start", "--block", f"--node-ip-address={address}"]
        command += [f"--temp-dir={folder}", *SMALL, *words]
        node = Node(name, address, inside, folder, command, self.environment)
        node.begin()
        self.all.append(node)
        return node

    def wait_for(self, node):
        """Until `ray start` says that it is ready."""

        def ready():
            if node.block.poll() is not None:
                assert node.tries < TRIES, node.log.read_text()
                node.power_off()
                node.begin()
            return "This command will now block" in node.log.read_text()

        wait_until(ready, 180, f"{node.name} starts")

    def cut(self, node):
        """Nothing comes to this node or from it any more."""
        node.hurt = True
        self.wires.cut(node.address)

    def heal(self, node):
        """The cable is put back."""
        self.wires.heal(node.address)

    def call(self, *words):
        """What a command on the head prints."""
        command = [*self.head.inside, *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, text=True, capture_output=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end_drivers(self):
        """SIGKILL for those that still run."""
        for driver in self.drivers:
            if driver.poll() is None:
                driver.kill()
            driver.wait(timeout=30)

    def run(self, module, *words):
        """A Python module on the head, connected to nothing yet."""
        command = [*self.head.inside, sys.executable, "-m", module, *words]
        driver = Driver(command, self.environment, self.root / f"driver{len(self.drivers)}")
        self.drivers.append(driver)
        return driver
