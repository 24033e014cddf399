"""A Ray cluster's job server, beside the head's dashboard: submitting jobs and following them."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import requests
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient
from ray.util.state import list_nodes
from ray.util.state.common import NodeState

from dass_ray.errors import UserError

CONNECT_S = 10.0
END_S = 0.5  # between looks at a job whose log has ended
TALKERS = (
    "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)  # fmt: skip
"""Loggers that tell of every package, every upload and every connection that is closed."""
STOPPED = 143  # exit code of a job that was stopped, as shells give it for SIGTERM
LOST = (RuntimeError, aiohttp.ClientError, requests.RequestException)
"""What Ray's client raises where the server is gone."""


class Lost(Exception):
    """The job server does not answer any more; the job may well go on."""


def connect(address: str) -> JobSubmissionClient:
    """A client of the job server at an address as http://head:8265; UserError if none answers."""
    for talker in TALKERS:
        logging.getLogger(talker).setLevel(logging.WARNING)
    try:
        _check(address)
        return JobSubmissionClient(address)
    except (OSError, RuntimeError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise UserError(
            f"no Ray job server answers at {address} ({why}): check --address, as in "
            "http://head:8265"
        ) from None


def _check(address: str) -> None:
    """OSError or ValueError where nothing listens; Ray's client would try for minutes."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not of the form http://host:port")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname, port), CONNECT_S).close()


def nodes(client: JobSubmissionClient) -> list[NodeState]:
    """The nodes that the cluster has now."""
    alive = [("state", "=", "ALIVE")]
    found: list[NodeState] = list_nodes(
        client.get_address(), alive, limit=10_000, raise_on_missing_output=False
    )
    return found


def ended(client: JobSubmissionClient) -> dict[str, bool]:
    """The submitted jobs that the cluster knows, by identity, and whether they have ended."""
    jobs = client.list_jobs()
    return {job.submission_id: job.status.is_terminal() for job in jobs if job.submission_id}


def submit(client: JobSubmissionClient, identity: str, entrypoint: str, **how: Any) -> None:  # noqa: ANN401 - Ray's own arguments
    """Submits a job; UserError where the server refuses it."""
    try:
        client.submit_job(submission_id=identity, entrypoint=entrypoint, **how)
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise UserError(f"the cluster refused the job {identity}: {lines[-1].strip()}") from None


def follow(client: JobSubmissionClient, identity: str, write: Callable[[str], Any]) -> int:
    """Passes the job's log on until its end, and gives the driver's exit code.

    STOPPED if somebody stopped it, 1 if it never came to run. Raises Lost.
    """
    try:
        asyncio.run(_pass_on(client, identity, write))
        while not (job := client.get_job_info(identity)).status.is_terminal():
            time.sleep(END_S)
    except LOST as error:
        raise Lost(str(error)) from error
    return exit_code(job, write)


async def _pass_on(client: JobSubmissionClient, identity: str, write: Callable[[str], Any]) -> None:
    async for text in client.tail_job_logs(identity):
        write(text)


def exit_code(job: JobDetails, write: Callable[[str], Any]) -> int:
    """Of a job that has ended, as a shell would give it; tells why it never came to run."""
    if job.status is JobStatus.SUCCEEDED:
        return 0
    if job.status is JobStatus.STOPPED:
        return STOPPED
    if job.driver_exit_code is None:  # it has not run, or its node is gone
        write(f"{job.message}\n")
        return 1
    code = int(job.driver_exit_code)
    return code if code > 0 else 128 - code  # of a signal, as shells give it
