import socket
import time

import boto3
import moto
import pytest

from dass_ray.errors import UserError
from dass_ray.store import deadline, retry, s3
from dass_ray.store.base import NotFound
from dass_ray.store.s3 import S3Store


@pytest.fixture
def store(fake_s3):
    return S3Store(fake_s3.uri)


def calls_of(store):
    return (store.get, store.exists, store.delete, store.list, lambda path: store.put(path, b"x"))


def test_put_whose_answer_is_lost_is_ours(store, fake_s3):
    fake_s3.lost_answers = 1
    assert store.put("a", b"x") is True
    assert fake_s3.requests == [("PUT", "lost"), ("PUT", 412), ("HEAD", 200)]
    assert store.put("a", b"x") is False


def test_lost_answer_of_another_writer_is_not_ours(store, fake_s3):
    S3Store(fake_s3.uri).put("a", b"x")
    fake_s3.lost_answers = 1
    assert store.put("a", b"x") is False


def test_conflicts_are_tried_again(store, fake_s3):
    fake_s3.conflicts = 3
    assert store.put("a", b"x") is True
    assert fake_s3.requests == [("PUT", 409)] * 3 + [("PUT", 200)]


def test_conflicts_without_end_are_an_error(store, fake_s3):
    fake_s3.conflicts = 1000
    with pytest.raises(UserError, match=r"s3://bucket/store/a at .*run again"):
        store.put("a", b"x")
    assert fake_s3.requests == [("PUT", 409)] * s3.CUT_OR_MET


def test_conflict_pauses_are_random_and_bounded(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    rounds = [list(retry.attempts(s3.CUT_OR_MET)) for _ in range(2)]
    assert rounds[0] == [False] * (s3.CUT_OR_MET - 1) + [True]
    assert pauses[: s3.CUT_OR_MET - 1] != pauses[s3.CUT_OR_MET - 1 :]
    assert max(pauses) <= 3.2


def test_body_that_is_cut_is_read_again(store, fake_s3):
    body = bytes(range(256)) * 4000
    store.put("a", body)
    fake_s3.cut_bodies = 2
    assert store.get("a") == body
    assert fake_s3.requests.count(("GET", 200)) == 3


def test_body_that_is_always_cut_is_an_error(store, fake_s3):
    store.put("a", b"x" * 1000)
    fake_s3.cut_bodies = 1000
    with pytest.raises(UserError, match=r"store/a at .*run again"):
        store.get("a")
    assert fake_s3.requests.count(("GET", 200)) == s3.CUT_OR_MET


def test_body_that_trickles_is_given_up(store, fake_s3, monkeypatch):
    store.put("a", b"x" * 200)
    monkeypatch.setattr(deadline, "GRACE", 0.5)
    fake_s3.seconds_per_byte = 0.05
    begin = time.monotonic()
    with pytest.raises(UserError, match="answers too slowly"):
        store.get("a")
    assert time.monotonic() - begin < 5


def test_silent_server_is_given_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = S3Store(f"s3://bucket?endpoint=http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(deadline, "GRACE", 0.2)
        for call in calls_of(store):
            with pytest.raises(UserError, match="answers too slowly"):
                call("a")


def test_server_that_is_not_there_is_given_up_quickly():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # closed from here on
    store = S3Store(f"s3://bucket/store?endpoint=http://127.0.0.1:{port}")
    begin = time.monotonic()
    with pytest.raises(UserError, match=r"s3://bucket/store/a at .*check the endpoint") as caught:
        store.put("a", b"x")
    assert time.monotonic() - begin < 5  # botocore 1.44 pauses 0.05 + 0.1 + 0.2 s at the most
    assert "\n" not in str(caught.value)


def test_missing_bucket_is_not_a_missing_object(moto_endpoint):
    store = S3Store(f"s3://no-such-bucket/store?endpoint={moto_endpoint}")
    for call in calls_of(store):
        with pytest.raises(UserError, match=r"no-such-bucket.*create the bucket"):
            call("a")


def test_impossible_bucket_name(moto_endpoint):
    store = S3Store(f"s3://no!bucket/store?endpoint={moto_endpoint}")
    with pytest.raises(UserError, match=r"no!bucket.*correct the store URI") as caught:
        store.put("a", b"x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId"])
def test_refused_credentials(store, fake_s3, code):
    fake_s3.refuses = (403, code)
    for call in calls_of(store):
        with pytest.raises(UserError, match=r"bucket/store/a.* at http.*(allow|set AWS_PROFILE)"):
            call("a")


def test_no_credentials(store, monkeypatch, fake_s3):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = S3Store(fake_s3.uri)
    for call in (*calls_of(store), lambda _: store.filesystem()):
        with pytest.raises(UserError, match=r"bucket.*set AWS_PROFILE"):
            call("a")


def test_unknown_profile(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UserError, match=r"nobody.*set AWS_PROFILE"):
        S3Store("s3://bucket")


def test_folders_that_consoles_make_are_not_objects(moto_bucket, moto_endpoint):
    store = S3Store(moto_bucket.format("console"))
    client = boto3.client("s3", endpoint_url=moto_endpoint, region_name="us-east-1")
    client.put_object(Bucket="bucket", Key="console/runs/")
    store.put("runs/a", b"x")
    assert store.list("") == ["runs/a"]


def test_neighbours_in_the_bucket_are_not_listed(moto_bucket):
    S3Store(moto_bucket.format("near-2")).put("a", b"x")
    store = S3Store(moto_bucket.format("near"))
    assert store.list("") == []
    with pytest.raises(NotFound):
        store.get("a")


def test_lists_of_several_pages(moto_bucket):
    store = S3Store(moto_bucket.format("pages"))
    paths = [f"runs/{index:02}" for index in range(20)]  # pages of 7, see conftest.py
    for path in paths:
        store.put(path, b"x")
    assert store.list("runs") == paths


def test_scans_at_aws_go_to_the_region_of_the_bucket():
    with moto.mock_aws():
        place = {"LocationConstraint": "eu-central-1"}
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="far", CreateBucketConfiguration=place)
        files, root = S3Store("s3://far/store").filesystem()
        assert (files.region, root) == ("eu-central-1", "far/store")
        files, _ = S3Store("s3://far/store?region=us-west-2").filesystem()
        assert files.region == "us-west-2"
