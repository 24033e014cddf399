import pytest

from dass_ray.errors import UserError
from dass_ray.store.s3_address import S3Address


def test_bucket_alone():
    address = S3Address.parse("s3://bucket", {})
    assert address == S3Address("bucket", "", None, None)
    assert (address.root, address.key("a/b"), address.uri) == ("bucket", "a/b", "s3://bucket")


def test_everything():
    uri = "s3://bucket/a/b?endpoint=http://127.0.0.1:7480&region=eu-west-1"
    address = S3Address.parse(uri, {"AWS_ENDPOINT_URL": "http://elsewhere"})
    assert address == S3Address("bucket", "a/b", "http://127.0.0.1:7480", "eu-west-1")
    assert (address.root, address.key("c"), address.uri) == ("bucket/a/b", "a/b/c", uri)


def test_style():
    uri = "s3://bucket?endpoint=http://s3.lab&style=virtual"
    address = S3Address.parse(uri, {})
    assert address == S3Address("bucket", "", "http://s3.lab", None, "virtual")
    assert address.uri == uri


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "http://all"}, "http://all"),
        ({"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "http://s3"}, "http://s3"),
        ({"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": ""}, None),
    ],
)
def test_endpoint_of_the_environment_becomes_part_of_the_uri(environment, endpoint):
    address = S3Address.parse("s3://bucket/prefix/", environment)
    assert address.endpoint == endpoint
    assert S3Address.parse(address.uri, {}) == address


@pytest.mark.parametrize(
    "uri",
    [
        "s3://",
        "s3:///prefix",
        "s3://bucket?endpont=http://a",
        "s3://bucket?endpoint=",
        "s3://bucket?style=",
        "s3://bucket?style=vhost",
        "s3://bucket?endpoint=127.0.0.1:9000",
        "s3://bucket?nonsense",
        "s3://bucket/a#b",
        "s3://bucket/a//b",
        "s3://bucket/../b",
    ],
)
def test_nonsense_is_refused(uri):
    with pytest.raises(UserError):
        S3Address.parse(uri, {})
