"""cluster/Dockerfile, read and linted: no image is built here."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .files import FOLDER, PINNED, ROOT, groups, spec_of

FILE = FOLDER / "Dockerfile"


def instructions(text):
    """(keyword, rest) of every instruction, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def those(keyword, text=None):
    every = instructions(FILE.read_text() if text is None else text)
    return [rest for word, rest in every if word == keyword]


def test_every_base_is_pinned_and_has_the_tested_python():
    for image in those("FROM"):
        name, _, tag = image.partition(":")
        assert re.fullmatch(r"\d+\.\d+\.\d+-[\w-]+", tag)
        assert name == "python"
        assert tag.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")


def test_who_runs_it_is_not_root_and_is_the_pods_user():
    (user,) = those("USER")
    pods = [
        group["template"]["spec"]["securityContext"] for group in groups(spec_of("rayjob.yaml"))
    ]
    assert {f"{one['runAsUser']}:{one['runAsGroup']}" for one in pods} == {user}
    assert user != "0:0"
    assert [word for word, _ in instructions(FILE.read_text())][-3:] == [
        "USER",
        "HEALTHCHECK",
        "CMD",
    ]


def test_versions_are_the_tested_ones():
    text = FILE.read_text()
    assert f"torch=={PINNED['torch']}" in text
    for command in those("RUN"):
        for part in re.split(r"&&", command):
            if "pip install" in part:
                assert "--constraint constraints.txt" in part or "--no-deps" in part
    assert set(re.findall(r"(\w+)==([\d.]+)", text)) <= set(PINNED.items())


def test_its_health_is_the_pods_health():
    """The same question to Ray that Kubernetes asks."""
    (check,) = those("HEALTHCHECK")
    (container,) = spec_of("rayjob.yaml")["headGroupSpec"]["template"]["spec"]["containers"]
    asked = container["livenessProbe"]["httpGet"]
    assert f"http://localhost:{asked['port']}{asked['path']}" in check
    program, option, code = json.loads(check.partition("CMD")[2])
    assert (program, option) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")


def test_what_it_copies_is_there_and_reaches_the_builder():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for copied in those("COPY"):
        for source in copied.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


@pytest.mark.skipif(
    not shutil.which("hadolint", path=Path(sys.executable).parent), reason="no wheel"
)
def test_hadolint_has_nothing_to_say(tmp_path):
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([linter, FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    spoilt = tmp_path / "Dockerfile"
    spoilt.write_text(FILE.read_text().replace("--no-install-recommends", ""))
    assert subprocess.run([linter, spoilt], capture_output=True, check=False).returncode
