import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    UnknownRegionError,
)

from dass_ray.store.s3_errors import expired, explain, passing


def refusal(status, code, message="a\nlong\n  story"):
    metadata = {"HTTPStatusCode": status}
    error = {"Code": code, "Message": message}
    return ClientError({"Error": error, "ResponseMetadata": metadata}, "PutObject")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (refusal(404, "NoSuchBucket"), "create the bucket"),
        (refusal(404, "NoSuchBucket", None), "NoSuchBucket: create"),
        (refusal(403, "AccessDenied"), "s3:PutObject"),
        (refusal(403, "403"), "s3:PutObject"),
        (refusal(403, "UnknownRefusal"), "s3:PutObject"),
        (refusal(403, "InvalidAccessKeyId"), "AWS_ACCESS_KEY_ID"),
        (refusal(400, "ExpiredToken"), "renew the credentials"),
        (refusal(503, "503"), "fewer writers"),
        (refusal(500, "InternalError"), "run again later"),
        (refusal(501, "NotImplemented"), "Ceph RGW"),
        (refusal(409, "OperationAborted"), "run again"),
        (refusal(418, "Teapot"), "Teapot a long story: ask who runs it"),
        (NoCredentialsError(), "AWS_ACCESS_KEY_ID"),
        (EndpointConnectionError(endpoint_url="http://x"), "check the endpoint"),
        (ParamValidationError(report="Invalid\nbucket"), "correct the store URI"),
        (TimeoutError(), "answers too slowly"),
        (UnknownRegionError(region_name="x", error_msg="y"), "correct the AWS settings"),
        (ValueError("Invalid endpoint"), "correct the AWS settings"),
    ],
)
def test_one_line_with_the_place_and_what_to_do(error, advice):
    message = str(explain(error, "s3://bucket/key at AWS"))
    assert message.startswith("s3://bucket/key at AWS: ")
    assert advice in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("error", "may_pass", "is_expired"),
    [
        (refusal(503, "SlowDown"), True, False),
        (refusal(429, "SlowDown"), True, False),
        (refusal(500, "InternalError"), True, False),
        (refusal(501, "NotImplemented"), False, False),
        (refusal(403, "AccessDenied"), False, False),
        (refusal(400, "ExpiredToken"), False, True),
        (EndpointConnectionError(endpoint_url="http://x"), True, False),
        (NoCredentialsError(), False, False),
        (TimeoutError(), False, False),
    ],
)
def test_what_may_pass(error, may_pass, is_expired):
    assert passing(error) is may_pass
    assert expired(error) is is_expired
