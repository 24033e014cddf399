"""A store in an S3 bucket, committed with conditional puts."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

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
from dass_ray.store.s3_client import region_of, scanner
from dass_ray.store.s3_errors import code, explain, status
from dass_ray.store.s3_link import S3Link

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

CUT_OR_MET = 6  # attempts of a read whose body is cut, and of a put that meets others

BAD_REQUEST, NOT_FOUND, CONFLICT, PRECONDITION_FAILED = 400, 404, 409, 412
BROKEN_BODY = (IncompleteReadError, HTTPClientError, FlexibleChecksumError)


class S3Store:
    """Objects below a prefix of a bucket (see `Store`).

    A put is one buffered `PutObject` with `If-None-Match: *`: never multipart, whose condition
    Ceph 16 ignores, and never a stream, which publishes what it has when its writer fails.
    """

    exclusive = True

    def __init__(self, uri: str, known: bool = False) -> None:
        self._address = S3Address.parse(uri, os.environ)
        self.uri = self._address.uri
        self._link = S3Link(self._address, known)

    def put(self, path: str, data: bytes) -> bool:
        """See `Store.put`."""
        request = self._request(check_path(path))
        attempt = uuid4().hex
        for last in attempts(CUT_OR_MET):
            try:
                self._link.ask(
                    path,
                    lambda client: client.put_object(
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
                    raise self._link.explained(error, path) from error
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
            page = self._link.ask(folder, lambda client: client.list_objects_v2(**request))
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
        self._link.ask(path, lambda client: client.delete_object(**request))

    def filesystem(self) -> tuple["FileSystem", str]:
        """See `Store.filesystem`. A scan has no limit in time: run a long one in `within`."""
        try:
            files = scanner(self._link.session, self._address, self._region())
        except BotoCoreError as error:
            raise explain(error, self.uri) from error
        return files, self._address.root

    def _read(self, path: str) -> bytes:
        request = self._request(path)
        try:
            answer = self._link.ask(
                path, lambda client: client.get_object(**request), expected=(NOT_FOUND,)
            )
        except ClientError as error:
            raise self._absent(path, error) from error
        body: Callable[[], bytes] = answer["Body"].read
        try:
            return within(patience(answer["ContentLength"]), body)
        except TimeoutError as error:
            raise self._link.explained(error, path) from error

    def _attempt_at(self, path: str) -> str | None:
        """Return the id of the put that made this object ("" if none of ours), None without one.

        The answer to a HEAD has no words: it does not tell a missing bucket from a missing object,
        nor old credentials from a bad request. A list does, and looks for newer credentials.
        """
        request = self._request(path)
        folder = {"Bucket": request["Bucket"], "Prefix": request["Key"]}
        for expected in ((NOT_FOUND, BAD_REQUEST), (NOT_FOUND,)):
            try:
                answer = self._link.ask(
                    path, lambda client: client.head_object(**request), expected=expected
                )
            except ClientError as error:
                self._link.ask(path, lambda client: client.list_objects_v2(**folder, MaxKeys=1))
                if status(error) == NOT_FOUND:
                    return None
            else:
                return str(answer["Metadata"].get("attempt", ""))
        raise AssertionError("the second attempt returns or raises")

    def _absent(self, path: str, error: ClientError) -> Exception:
        if code(error) == "NoSuchKey":
            return NotFound(f"no object {path} in {self.uri}")
        return self._link.explained(error, path)

    def _region(self) -> str:
        """Return the bucket's region: boto3 follows a redirect there, pyarrow does not."""
        if self._address.region or self._address.endpoint:
            return region_of(self._link.session, self._address)
        bucket = self._address.bucket
        return str(
            self._link.ask("", lambda client: client.head_bucket(Bucket=bucket))["BucketRegion"]
        )

    def _request(self, path: str) -> dict[str, str]:
        return {"Bucket": self._address.bucket, "Key": self._address.key(path)}
