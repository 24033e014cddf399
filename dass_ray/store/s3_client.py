"""Clients of S3 with this project's timeouts: boto3 to commit and read, pyarrow to scan."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from dass_ray.store.retry import AGAIN
from dass_ray.store.s3_address import S3Address

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from pyarrow.fs import FileSystem

Answer = Mapping[str, Any]  # boto3's parsed reply


class S3Client(Protocol):
    """The part of boto3's S3 client that a store uses."""

    def put_object(self, **request: str | bytes | dict[str, str]) -> Answer: ...  # noqa: D102
    def get_object(self, **request: str) -> Answer: ...  # noqa: D102
    def head_object(self, **request: str) -> Answer: ...  # noqa: D102
    def delete_object(self, **request: str) -> Answer: ...  # noqa: D102
    def head_bucket(self, **request: str) -> Answer: ...  # noqa: D102
    def list_objects_v2(self, **request: str | int) -> Answer: ...  # noqa: D102


def connect(session: boto3.Session, address: S3Address) -> S3Client:
    """Return a client that gives up on a silent server after 44 s (boto3's default: 180 s)."""
    style = address.style or ("path" if address.endpoint else None)
    config = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 4},
        s3={"addressing_style": style} if style else None,
    )
    region = region_of(session, address)
    client = session.client("s3", config=config, endpoint_url=address.endpoint, region_name=region)
    client.meta.events.register("request-created.s3", _count)
    return cast(S3Client, client)


def _count(request: "AWSRequest", **_: object) -> None:
    """Called by boto3 before each attempt, which it numbers from 1."""
    if request.context["retries"]["attempt"] > 1:
        AGAIN.add()


def region_of(session: boto3.Session, address: S3Address) -> str:
    """Return the region that is asked first; servers outside AWS take any."""
    return address.region or session.region_name or "us-east-1"


def scanner(session: boto3.Session, address: S3Address, region: str) -> "FileSystem":
    """Return a pyarrow file system with the credentials that boto3 finds now.

    pyarrow does not know all sources of credentials, and its own timeouts (1 s and 3 s) fail on
    an answer that is 5 s late.
    """
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem  # noqa: PLC0415 - see __init__

    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    keys = credentials.get_frozen_credentials()
    endpoint = urlsplit(address.endpoint or "https:")
    return S3FileSystem(
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token,
        region=region,
        scheme=endpoint.scheme,
        endpoint_override=(endpoint.netloc + endpoint.path).rstrip("/") or None,
        connect_timeout=3,
        request_timeout=20,
        force_virtual_addressing=address.style == "virtual",
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=5),
        tls_ca_file_path=os.environ.get("AWS_CA_BUNDLE"),  # boto3 follows it, pyarrow does not
    )
