import boto3
import pytest

from dass_ray.store.s3_address import S3Address
from dass_ray.store.s3_client import connect, region_of, scanner

AT_AWS = S3Address("bucket", "", None, None)
ELSEWHERE = S3Address("bucket", "", "http://127.0.0.1:1/s3", "eu-west-1")


@pytest.fixture
def session():
    return boto3.Session()


def test_timeouts_of_commits(session):
    config = connect(session, ELSEWHERE).meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] == 4


def test_only_other_servers_get_the_bucket_in_the_path(session):
    assert connect(session, ELSEWHERE).meta.config.s3["addressing_style"] == "path"
    assert not connect(session, AT_AWS).meta.config.s3


def test_region(monkeypatch):
    assert region_of(boto3.Session(), AT_AWS) == "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert region_of(boto3.Session(), AT_AWS) == "eu-north-1"
    assert region_of(boto3.Session(), ELSEWHERE) == "eu-west-1"


def test_settings_of_scans(session, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/ca.crt")
    _, (options,) = scanner(session, ELSEWHERE, "eu-west-1").__reduce__()
    expected = {
        "access_key": "test",
        "secret_key": "testtest",
        "session_token": "token",
        "region": "eu-west-1",
        "scheme": "http",
        "endpoint_override": "127.0.0.1:1/s3",
        "connect_timeout": 3,
        "request_timeout": 20,
        "tls_ca_file_path": "/ca.crt",
    }
    assert options.items() >= expected.items()
    _, (options,) = scanner(session, AT_AWS, "eu-west-1").__reduce__()
    assert (options["scheme"], options["endpoint_override"]) == ("https", "")


def test_bucket_in_the_name_of_the_host(session):
    address = S3Address("bucket", "", "http://s3.lab:1", None, "virtual")
    client = connect(session, address)
    url = client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a"})
    assert url.startswith("http://bucket.s3.lab:1/a?")
    _, (options,) = scanner(session, address, "eu-west-1").__reduce__()
    assert options["force_virtual_addressing"] is True


def test_bucket_in_the_path_where_one_asks_for_it(session):
    client = connect(session, S3Address("bucket", "", None, None, "path"))
    url = client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a"})
    assert url.startswith("https://s3.amazonaws.com/bucket/a?")
