"""`dass-ray submit`: a command as a job of a Ray cluster."""

import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dass_ray import submission
from dass_ray.cli.options import configured
from dass_ray.cli.progress import INTERRUPTED
from dass_ray.config import EvaluateConfig, StoreConfig
from dass_ray.errors import UserError
from dass_ray.reference import COMMANDS
from dass_ray.submission import Install

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

HERE = ("record", "teacher import")  # work with files of the machine where they run
JOBS = [name for name in COMMANDS if name not in HERE]


@dataclass(frozen=True)
class Asked:
    """A command line of ours as it was read: the command, its options and its configuration."""

    command: str
    context: typer.Context
    config: StoreConfig

    @property
    def file(self) -> Path | None:
        """The configuration file."""
        file: Path | None = self.context.params["config"]
        return file

    @property
    def name(self) -> str:
        """The job's: the command, and the config's name, its file or the data set."""
        given = [getattr(self.config, field, None) for field in ("name", "dataset")]
        sets: Sequence[str] = getattr(self.config, "datasets", ())
        label = given[0] or (self.file and self.file.stem) or given[1] or sets[0]
        return f"{self.command}-{label}"

    def entrypoint(self, store: str) -> str:
        """The command line of the job, in whose folder the configuration file is."""
        file = {"config": self.file.name} if self.file else {}
        places = file | {"store": store}
        words = ["python", "-m", "dass_ray.cli.main", *self.command.split()]
        for option in self.context.command.params:
            name = option.name or ""
            if name in places:
                words += [option.opts[0], places[name]]
            elif _is_given(self.context, name):
                words += _words(option, self.context.params[name])
        return shlex.join(words)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _words(option: Any, value: Any) -> list[str]:  # noqa: ANN401 - typer names no type for it
    if isinstance(value, bool):
        return [option.opts[0] if value else option.secondary_opts[0]]
    return [word for one in (value if option.multiple else [value])
            for word in (option.opts[0], str(one))]  # fmt: skip


def submit(
    command: Annotated[
        list[str], typer.Argument(help="A command with its options: " + ", ".join(JOBS))
    ],
    address: Annotated[
        str | None,
        typer.Option(
            help="Of the cluster's dashboard, as in http://head:8265.",
            envvar="RAY_API_SERVER_ADDRESS",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the job [COMMAND-CONFIG, or COMMAND-DATASET]")
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not follow the job's log.")
    ] = False,
    install: Annotated[
        Install,
        typer.Option(
            help="What is sent because the nodes lack it: this package, or with `all` also what "
            "it needs, by pip, which takes minutes and the internet."
        ),
    ] = "nothing",
    cpus: Annotated[
        float | None, typer.Option(min=0, help="CPUs for the driver itself, on any node.")
    ] = None,
    gpus: Annotated[
        float | None, typer.Option(min=0, help="GPUs for the driver itself, on any node.")
    ] = None,
) -> None:
    """Run a command as a job of a Ray cluster, and follow its log.

    The options of the command are its usual ones. They are checked here, then the configuration
    file is sent. The exit code is the job's. Ctrl-C leaves the job running. A job that was stopped
    (`ray job stop`), failed or lost its cluster goes on where it was when it is submitted again,
    since what is done is in the store.

    The driver runs where nodes offer the resource `driver`, otherwise on the head. `meta-train` and
    `evaluate` work in their driver: --cpus or --gpus put it where these are free.

    Examples:

        dass-ray submit --address http://head:8265 search -c search.yaml --store s3://bucket/lab

        dass-ray submit --no-wait collect -c collect.yaml --store s3://bucket/lab --retry-failed

        dass-ray submit --cpus 8 meta-train -c meta.yaml --store s3://bucket/lab
    """
    asked = read(command)
    if address is None:
        raise UserError("say which cluster: --address http://head:8265, or RAY_API_SERVER_ADDRESS")
    from dass_ray import job_server  # noqa: PLC0415 - Ray takes a second

    client, console = job_server.connect(address), Console(stderr=True, highlight=False)
    nodes = job_server.nodes(client)
    store, warning = submission.shared_store(asked.config.store, [node.node_ip for node in nodes])
    if warning:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)
    identity = submission.next_id(submission.safe(name or asked.name), job_server.ended(client))
    offered = [resource for node in nodes for resource in node.resources_total]
    demand = submission.driver_demand(cpus, gpus, offered)
    with tempfile.TemporaryDirectory(prefix="dass-ray-submit-") as folder:
        if asked.file:
            (Path(folder) / asked.file.name).write_bytes(asked.file.read_bytes())
        env = submission.runtime_env(Path(folder), install)
        job_server.submit(client, identity, asked.entrypoint(store), runtime_env=env, **demand)
    console.print(_told(identity, address), soft_wrap=True)
    if not no_wait:
        sys.exit(_follow(client, identity, console))


def _told(job: str, address: str) -> str:
    return (
        f"submitted {job}\n"
        f"  follow  ray job logs --follow {job} --address {address}\n"
        f"  stop    ray job stop {job} --address {address}"
    )


def _follow(client: "JobSubmissionClient", job: str, console: Console) -> int:
    from dass_ray import job_server  # noqa: PLC0415 - Ray takes a second

    try:
        return job_server.follow(client, job, _write)
    except KeyboardInterrupt:
        console.print(f"{job} goes on; how to follow and to stop it is said above")
        return INTERRUPTED
    except job_server.Lost as error:
        console.print(f"the job server is lost, {job} may go on: {error}", soft_wrap=True)
        return 1


def _write(text: str) -> None:
    print(text, end="", flush=True)


def read(words: Sequence[str]) -> Asked:
    """A command line without `dass-ray`; UserError for one that is no job, or is not right."""
    from dass_ray.cli.main import app  # noqa: PLC0415 - which imports this module

    name = next((name for name in JOBS if list(words[: len(name.split())]) == name.split()), None)
    if name is None:
        raise UserError(f"{' '.join(words[:2])!r} is no job: use one of {', '.join(JOBS)}")
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    context: typer.Context = command.make_context(
        f"dass-ray submit {name}", list(words[len(name.split()) :])
    )
    given = context.params
    field = "datasets" if COMMANDS[name] is EvaluateConfig else "dataset"
    config = configured(
        COMMANDS[name], given["config"], given["settings"], given["store"], given.get("address"),
        **{field: given.get("dataset") or None},
    )  # fmt: skip
    if config.address is not None:
        raise UserError(
            f"a job works on the cluster that it is submitted to: name that by --address before "
            f"{name!r}, not in its options or its config"
        )
    return Asked(name, context, config)
