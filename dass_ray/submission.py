"""What becomes of a command that is submitted as a job: its name, its store, what is sent along.

Where the work has come to is in the store, so a job's name only tells jobs apart.
"""

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement

import dass_ray
from dass_ray.errors import UserError
from dass_ray.store import local_folder

DRIVER = "driver"
"""Custom resource of nodes that drivers may run on; where there is none, Ray takes the head."""
STOP_S = 30  # from SIGTERM to SIGKILL; Ray's 3 s are short for a driver on a busy machine
Install = Literal["nothing", "package", "all"]
"""What the nodes get that they lack: nothing, this package, or also what it needs."""


def is_here(ip: str) -> bool:
    """Whether an address is one of this machine's."""
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as probe:
        try:
            probe.bind((ip, 0))
        except OSError:
            return False
    return True


def shared_store(
    uri: str, ips: Iterable[str], here: Callable[[str], bool] = is_here
) -> tuple[str, str]:
    """The store as nodes of these addresses see it, and a warning, or an empty one.

    Where all nodes are on this machine, its folders are meant. UserError for a folder that other
    machines cannot find.
    """
    folder = local_folder(uri)
    if folder is None:
        return uri, ""
    if all(here(ip) for ip in ips):
        return str(folder.resolve()), ""
    if not uri.startswith(("/", "file://")):  # nor is a home the same on all machines
        raise UserError(
            f"the cluster's nodes do not see {uri} of this machine: use --store s3://bucket/prefix,"
            " or the absolute path of a folder that they all share"
        )
    return str(folder), f"{folder} has to be one and the same shared folder on all nodes"


def safe(name: str) -> str:
    """A name of which Ray makes files, without what is no letter, digit, dot or dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")


def next_id(name: str, states: Mapping[str, bool]) -> str:
    """The identity of the next job of a name: NAME, NAME-2, ..., since Ray takes each only once.

    states: of all jobs by identity, whether they have ended. UserError while one of the name runs.
    """
    pattern = re.compile(rf"{re.escape(name)}(?:-(\d+))?")
    found = {job: match for job in states if (match := pattern.fullmatch(job))}
    for job in found:
        if not states[job]:
            raise UserError(
                f"{job} is under way: see it with `ray job logs --follow {job}`, stop it with "
                f"`ray job stop {job}`, or give this one another --name"
            )
    last = max((int(match[1] or 1) for match in found.values()), default=0)
    return f"{name}-{last + 1}" if last else name


def runtime_env(folder: Path, install: Install) -> dict[str, Any]:
    """Ray's runtime environment of a job that finds the files of a folder where it runs.

    No environment variable of this machine is sent: nodes have credentials of their own.
    """
    env: dict[str, Any] = {
        "working_dir": str(folder),
        "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S)},
    }
    if install != "nothing":
        env["py_modules"] = [str(Path(dass_ray.__file__).parent)]
    if install == "all":
        env["pip"] = requirements()
    return env


def requirements() -> list[str]:
    """What this package needs, in the versions installed here; Ray is the cluster's own."""
    needed = [Requirement(text) for text in requires("dass-ray") or []]
    names = [need.name for need in needed if need.marker is None and need.name != "ray"]
    return [f"{name}=={version(name).partition('+')[0]}" for name in names]  # +cpu is no release


def driver_demand(
    cpus: float | None, gpus: float | None, resources: Iterable[str]
) -> dict[str, Any]:
    """What a driver asks Ray for, as the arguments of a submission.

    resources: names that some node offers. Asking for anything at all makes Ray leave the head's
    default, so nothing is asked for where nobody offers DRIVER.
    """
    asked = {"entrypoint_num_cpus": cpus, "entrypoint_num_gpus": gpus}
    given = {name: value for name, value in asked.items() if value is not None}
    if not given and DRIVER in set(resources):
        return {"entrypoint_resources": {DRIVER: 1}}
    return given
