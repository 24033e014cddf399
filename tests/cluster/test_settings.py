"""What all files of cluster/ have in common: versions, failure detection, and nothing secret."""

import re

import pytest

from .files import (
    DETECTION,
    FOLDER,
    KUBERAY,
    PINNED,
    RAY_UP,
    ROOT,
    groups,
    ray_up,
    spec_of,
    system_config,
)

TEXTS = {
    str(file.relative_to(FOLDER)): file.read_text()
    for file in sorted(FOLDER.rglob("*"))
    if file.is_file()
}
STARTS_RAY = sorted(  # also scripts, and files that are still to come
    name for name, text in TEXTS.items() if "system-config" in text and not name.endswith(".md")
)
ENVIRONMENT = {name: str(value) for name, value in DETECTION["environment"].items()}
SECRETS = {
    "AWS key": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    "private key": r"-----BEGIN",
    "Google key": r"\bAIza[\w-]{30}|\"private_key\"",
    "secret": r"(?i)(secret_access_key|session_token|passwd|api_key|auth_token)\s*[=:]",
    "password": r"(?i)password[ \t]*[=:][ \t]*(?!\"?\$)\S",
    "Secret's data": r"(?m)^kind: Secret|^(data|stringData):",
    "account": r"\b\d{12}\b",
}


def found_in(text):
    return [name for name, pattern in SECRETS.items() if re.search(pattern, text)]


def test_all_that_start_ray_are_known():
    assert {*RAY_UP, *(f"kuberay/{name}" for name in KUBERAY)} <= set(STARTS_RAY)


@pytest.mark.parametrize(
    "name", [name for name in STARTS_RAY if not name.endswith("detection.yaml")]
)
def test_every_head_notices_lost_nodes_alike(name):
    settings = [system_config(part) for part in re.split(r"system-config[=:]", TEXTS[name])[1:]]
    assert settings
    assert all(one == DETECTION["system_config"] for one in settings)


@pytest.mark.parametrize("name", [name for name in STARTS_RAY if not name.startswith("kuberay/")])
def test_every_process_has_the_keepalive(name):
    for variable, value in DETECTION["environment"].items():
        given = re.findall(rf"{variable}[=:] ?(\d+)", TEXTS[name])
        assert given
        assert set(given) == {str(value)}


@pytest.mark.parametrize("name", RAY_UP)
def test_containers_of_all_nodes_have_the_keepalive(name):
    docker = ray_up(name)["docker"]
    options = dict(re.findall(r"--env (\w+)=(\S+)", " ".join(docker["run_options"])))
    assert ENVIRONMENT.items() <= options.items()
    assert not {"head_run_options", "worker_run_options"} & docker.keys()


@pytest.mark.parametrize("name", KUBERAY)
def test_pods_and_the_autoscaler_have_the_keepalive(name):
    spec = spec_of(name)
    containers = [one for group in groups(spec) for one in group["template"]["spec"]["containers"]]
    for one in [*containers, spec["autoscalerOptions"]]:
        assert ENVIRONMENT.items() <= {e["name"]: e["value"] for e in one["env"]}.items()


def test_one_version_of_ray_and_of_the_image():
    images = {ray_up(name)["docker"]["image"] for name in RAY_UP}
    for name in KUBERAY:
        assert spec_of(name)["rayVersion"] == PINNED["ray"]
        pods = [group["template"]["spec"] for group in groups(spec_of(name))]
        images |= {one["image"] for pod in pods for one in pod["containers"]}
    (image,) = images
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[
        1
    ]
    assert image == f"REGISTRY/dass-ray:{version}"


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_secret(name):
    assert found_in(TEXTS[name]) == []


def test_secrets_are_seen():
    """The check itself."""
    assert found_in("key: AKIA" + "A" * 16) == ["AWS key"]
    assert found_in("aws_secret_access_key = abc") == ["secret"]
    assert found_in("requirepass hunter2\npassword: hunter2") == ["password"]
    assert found_in("-----BEGIN RSA PRIVATE " + "KEY-----") == ["private key"]
    assert found_in("arn:aws:iam::123456789012:role/x") == ["account"]
    assert found_in("kind: Secret") == ["Secret's data"]
