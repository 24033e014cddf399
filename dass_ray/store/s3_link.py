"""Asking an S3 server: within a time, again after passing trouble, with keys that are good."""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dass_ray.errors import UserError
from dass_ray.store.deadline import patience, within
from dass_ray.store.retry import attempts
from dass_ray.store.s3_address import S3Address
from dass_ray.store.s3_client import S3Client, connect
from dass_ray.store.s3_errors import expired, explain, passing, status

T = TypeVar("T")

TROUBLED = 20  # attempts at a server with passing trouble: so many that mostly time ends them


class S3Link:
    """A session and a client of one address, which are made anew when their keys expire.

    known: the address is right, since another process has had answers from there.
    """

    session: boto3.Session
    client: S3Client

    def __init__(self, address: S3Address, known: bool = False) -> None:
        self.address = address
        self._answered = known  # the server, at some time
        self._renewing = Lock()
        self._connect()

    def ask(
        self,
        path: str,
        work: Callable[[S3Client], T],
        *,
        size: int = 0,
        expected: tuple[int, ...] = (),
    ) -> T:
        """Return `work` of the client; only answers with `expected` statuses stay `ClientError`.

        Everything else is a `UserError`. An attempt may take `size` bytes' patience.
        """
        for last in attempts(TROUBLED):
            client = self.client
            try:
                answer = within(patience(size), lambda: work(client))  # noqa: B023
            except (ClientError, BotoCoreError, TimeoutError) as error:
                self._answered |= isinstance(error, ClientError)
                if isinstance(error, ClientError) and status(error) in expected:
                    raise
                if last or not self._may_pass(error, client):
                    raise self.explained(error, path) from error
            else:
                self._answered = True
                return answer
        raise AssertionError("the last attempt returns or raises")

    def explained(self, error: Exception, path: str) -> UserError:
        """Return what went wrong with an object or a folder, and what to do."""
        key, server = self.address.key(path), self.address.endpoint or "AWS"
        return explain(error, f"s3://{self.address.bucket}/{key} at {server}")

    def _may_pass(self, error: Exception, client: S3Client) -> bool:
        """Whether to ask again. One that has never answered is more likely a wrong address."""
        return (self._answered and passing(error)) or (expired(error) and self._renew(client))

    def _renew(self, client: S3Client) -> bool:
        """Look for newer credentials than this client's: boto3 reads a file once for ever.

        Roles need no such thing: boto3 asks for their keys before they expire.
        """
        with self._renewing:
            if client is not self.client:  # another thread was faster
                return True
            old = self.session.get_credentials()
            self._connect()
            new = self.session.get_credentials()
            return bool(old and new and old.access_key != new.access_key)

    def _connect(self) -> None:
        """Begin anew with the credentials that boto3 finds now."""
        try:
            self.session = boto3.Session()
            self.client = connect(self.session, self.address)
        except (BotoCoreError, ValueError) as error:
            raise explain(error, self.address.uri) from error
