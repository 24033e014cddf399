"""What to tell people when an S3 server refuses or is not there."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as ServerUnreachable

from dass_ray.errors import UserError

NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    ProfileNotFound,
)
NO_CONNECTION = (ServerUnreachable, HTTPClientError)
BUSY = (500, 502, 503, 504)
SET_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
ALLOW = "allow s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject, or use other keys"
USE_ANOTHER_SERVER = (
    "results could be overwritten; use a server that honours them, such as AWS S3, Ceph RGW 16, "
    "MinIO or Cloudflare R2, or a local folder"
)

ADVICE = {
    "NoSuchBucket": "create the bucket or correct the store URI",
    "AccessDenied": ALLOW,
    "403": ALLOW,  # the answer to a HEAD has no body to hold a code
    "InvalidAccessKeyId": SET_CREDENTIALS,
    "SignatureDoesNotMatch": SET_CREDENTIALS,
    "ExpiredToken": "renew the credentials and run again",
    "ExpiredTokenException": "renew the credentials and run again",
    "RequestTimeTooSkewed": "set this machine's clock",
    "NotImplemented": f"the server does not know conditional puts: {USE_ANOTHER_SERVER}",
    "PermanentRedirect": "add region=REGION of the bucket to the store URI",
    "SlowDown": "the server is overloaded; use fewer writers or run again later",
    "500": "the server has an error of its own; run again later",
    "502": "the server behind the gateway does not answer; run again later",
    "503": "the server is overloaded; use fewer writers or run again later",
    "504": "the server behind the gateway does not answer; run again later",
    "QuotaExceeded": "free some space in the bucket or raise its quota",
    "EntityTooLarge": "the object is larger than one put may be (5 GB at AWS)",
    "KeyTooLongError": "choose a shorter path",
    "409": "other writers keep this object busy; run again",
}


def status(error: ClientError) -> int:
    """Return the HTTP status of a server's answer."""
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def code(error: ClientError) -> str:
    """Return the S3 error code, or the HTTP status as text where the answer had no body."""
    return str(error.response["Error"].get("Code") or status(error))


def passing(error: Exception) -> bool:
    """Whether the server, which was well before, may be again in a minute."""
    if isinstance(error, ClientError):
        return status(error) in BUSY or code(error) == "SlowDown"
    return isinstance(error, NO_CONNECTION)


def expired(error: Exception) -> bool:
    """Whether the server takes the credentials for too old."""
    return isinstance(error, ClientError) and code(error).startswith("ExpiredToken")


def explain(error: Exception, where: str) -> UserError:
    """Return what went wrong at `where` (bucket, key, server) and what to do, in one line."""
    if isinstance(error, ClientError):
        message = error.response["Error"].get("Message") or ""  # Ceph's codes come without
        advice = ADVICE.get(code(error)) or ADVICE.get(str(status(error)), "ask who runs it")
        text = f"{code(error)} {message}".strip() + f": {advice}"
    elif isinstance(error, NO_CREDENTIALS):
        text = f"{error}: {SET_CREDENTIALS}"
    elif isinstance(error, ParamValidationError):
        text = f"{error}: correct the store URI"
    elif isinstance(error, NO_CONNECTION):
        text = f"{error}: check the endpoint and the network, then run again"
    elif isinstance(error, TimeoutError):
        text = "the server answers too slowly: check it and the network, then run again"
    else:
        assert isinstance(error, BotoCoreError | ValueError), error
        text = f"{error}: correct the AWS settings or the store URI"
    return UserError(" ".join(f"{where}: {text}".split()))
