"""A store in an S3 bucket, committed with conditional puts."""

import os
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)

from dass_ray.store.base import NotFound, Paths, check_folder, check_path, is_hidden
from dass_ray.store.deadline import patience, within
from dass_ray.store.retry import attempts
from dass_ray.store.s3_address import S3Address
from dass_ray.store.s3_client import S3Client, connect, region_of, scanner
from dass_ray.store.s3_errors import code, expired, explain, passing, status

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

T = TypeVar("T")

CUT_OR_MET = 6  # attempts of a read whose body is cut, and of a put that meets others
TROUBLED = 9  # attempts at a server with passing trouble, within 45 s and what each takes

BAD_REQUEST, NOT_FOUND, CONFLICT, PRECONDITION_FAILED = 400, 404, 409, 412
BROKEN_BODY = (IncompleteReadError, HTTPClientError, FlexibleChecksumError)


class S3Store:
    """Objects below a prefix of a bucket (see `Store`).

    A put is one buffered `PutObject` with `If-None-Match: *`: never multipart, whose condition
    Ceph 16 ignores, and never a stream, which publishes what it has when its writer fails.
    """

    exclusive = True

    def __init__(self, uri: str) -> None:
        self._address = S3Address.parse(uri, os.environ)
        self.uri = self._address.uri
        self._answered = False  # the server, at some time
        self._renewing = Lock()
        self._connect()

    def _connect(self) -> None:
        """Begin anew with the credentials that boto3 finds now."""
        try:
            self._session = boto3.Session()
            self._client = connect(self._session, self._address)
        except (BotoCoreError, ValueError) as error:
            raise explain(error, self.uri) from error

    def put(self, path: str, data: bytes) -> bool:
        """See `Store.put`."""
        request = self._request(check_path(path))
        attempt = uuid4().hex
        for last in attempts(CUT_OR_MET):
            try:
                self._ask(
                    path,
                    lambda: self._client.put_object(
                        **request, Body=data, IfNoneMatch="*", Metadata={"attempt": attempt}
                    ),
                    size=len(data),
                    expected=(PRECONDITION_FAILED,) if last else (PRECONDITION_FAILED, CONFLICT),
                )
                return True
            except ClientError as error:
                if status(error) == PRECONDITION_FAILED:
                    # When an answer is lost, boto3 asks again and meets its own object.
                    return self._attempt_at(path) == attempt
        raise AssertionError("the last attempt expects no conflict")

    def get(self, path: str) -> bytes:
        """See `Store.get`. A body that is cut is read again: boto3 leaves that to its callers."""
        check_path(path)
        for last in attempts(CUT_OR_MET):
            try:
                return self._read(path)
            except BROKEN_BODY as error:
                if last:
                    raise explain(error, self._where(path)) from error
        raise AssertionError("the last attempt returns or raises")

    def exists(self, path: str) -> bool:
        """See `Store.exists`."""
        return self._attempt_at(check_path(path)) is not None

    def list(self, prefix: str) -> Paths:
        """See `Store.list`. One request per 1,000 objects."""
        folder = check_folder(prefix)
        request = {"Bucket": self._address.bucket, "Prefix": self._address.key(folder)}
        keys: Paths = []
        while True:
            page = self._ask(folder, lambda: self._client.list_objects_v2(**request))
            keys += [found["Key"] for found in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                break
            request["ContinuationToken"] = page["NextContinuationToken"]
        start = self._address.key("")
        paths = (key.removeprefix(start) for key in keys)
        # Consoles make "folders": empty objects whose name ends in '/'.
        return sorted(path for path in paths if not path.endswith("/") and not is_hidden(path))

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        request = self._request(check_path(path))
        self._ask(path, lambda: self._client.delete_object(**request))

    def filesystem(self) -> tuple["FileSystem", str]:
        """See `Store.filesystem`. A scan has no limit in time: run a long one in `within`."""
        try:
            files = scanner(self._session, self._address, self._region())
        except BotoCoreError as error:
            raise explain(error, self.uri) from error
        return files, self._address.root

    def _read(self, path: str) -> bytes:
        request = self._request(path)
        try:
            answer = self._ask(
                path, lambda: self._client.get_object(**request), expected=(NOT_FOUND,)
            )
        except ClientError as error:
            raise self._absent(path, error) from error
        body: Callable[[], bytes] = answer["Body"].read
        try:
            return within(patience(answer["ContentLength"]), body)
        except TimeoutError as error:
            raise explain(error, self._where(path)) from error

    def _attempt_at(self, path: str) -> str | None:
        """Return the id of the put that made this object ("" if none of ours), None without one."""
        request = self._request(path)
        try:
            answer = self._ask(
                path, lambda: self._client.head_object(**request), expected=(NOT_FOUND, BAD_REQUEST)
            )
        except ClientError as error:
            # The answer to a HEAD has no words: it does not tell a missing bucket from a missing
            # object, nor old credentials from a bad request. This does.
            folder = {"Bucket": request["Bucket"], "Prefix": request["Key"]}
            self._ask(path, lambda: self._client.list_objects_v2(**folder, MaxKeys=1))
            if status(error) != NOT_FOUND:
                raise explain(error, self._where(path)) from error
            return None
        return str(answer["Metadata"].get("attempt", ""))

    def _absent(self, path: str, error: ClientError) -> Exception:
        if code(error) == "NoSuchKey":
            return NotFound(f"no object {path} in {self.uri}")
        return explain(error, self._where(path))

    def _region(self) -> str:
        """Return the bucket's region: boto3 follows a redirect there, pyarrow does not."""
        if self._address.region or self._address.endpoint:
            return region_of(self._session, self._address)
        bucket = self._address.bucket
        return str(self._ask("", lambda: self._client.head_bucket(Bucket=bucket))["BucketRegion"])

    def _request(self, path: str) -> dict[str, str]:
        return {"Bucket": self._address.bucket, "Key": self._address.key(path)}

    def _where(self, path: str) -> str:
        server = self._address.endpoint or "AWS"
        return f"s3://{self._address.bucket}/{self._address.key(path)} at {server}"

    def _ask(
        self, path: str, work: Callable[[], T], size: int = 0, expected: tuple[int, ...] = ()
    ) -> T:
        """Return `work()` within `size` bytes' patience; only `expected` statuses stay errors."""
        for last in attempts(TROUBLED):
            client = self._client
            try:
                answer = within(patience(size), work)
            except (ClientError, BotoCoreError, TimeoutError) as error:
                self._answered |= isinstance(error, ClientError)
                if isinstance(error, ClientError) and status(error) in expected:
                    raise
                if last or not self._may_pass(error, client):
                    raise explain(error, self._where(path)) from error
            else:
                self._answered = True
                return answer
        raise AssertionError("the last attempt returns or raises")

    def _may_pass(self, error: Exception, client: S3Client) -> bool:
        """Whether to ask again. One that has never answered is more likely a wrong address."""
        return (self._answered and passing(error)) or (expired(error) and self._renew(client))

    def _renew(self, client: S3Client) -> bool:
        """Look for newer credentials than this client's: boto3 reads a file once for ever.

        Roles need no such thing: boto3 asks for their keys before they expire.
        """
        with self._renewing:
            if client is not self._client:  # another thread was faster
                return True
            old = self._session.get_credentials()
            self._connect()
            new = self._session.get_credentials()
            return bool(old and new and old.access_key != new.access_key)
