"""The docs: the site is built without a warning, and every command in them is one."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from dass_ray import reference, settings
from dass_ray.cli.main import app
from dass_ray.errors import UserError

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("configs/*.yaml")])
JOBS = {"search": "search", "collect": "collect", "evaluate": "evaluate",
        "meta_train": "meta-train", "train_teacher": "teacher train"}  # fmt: skip


def blocks(text):
    """The lines of code: indented, fenced, or a comment of a YAML file."""
    fenced = False
    for line in text.splitlines():
        if line.strip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith(("    ", "# ", "#   ")):
            yield line.lstrip("# ").rstrip()


def commands(page):
    """Every `dass-ray` command of a page as its words, continued lines joined."""
    text = "\n".join(blocks(page.read_text())).replace("\\\n", " ")
    for line in text.splitlines():
        found = re.search(r"(?:^|\$ |  )(dass-ray|python jobs/\w+\.py) (.*)", line)
        if found and "..." not in line:
            name, rest = found.groups()
            words = shlex.split(rest, comments=True)
            job = re.fullmatch(r"python jobs/(\w+)\.py", name)
            yield [*JOBS[job[1]].split(), *words] if job else words


EVERY = [(page.name, words) for page in PAGES for words in commands(page)]


def parsed(words):
    """The names of a command and its parameters, as the command line would understand them."""
    command, names = typer.main.get_command(app), []
    context = command.make_context("dass-ray", list(words))
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        names.append(name)
        context = command.make_context(name, rest, parent=context)
    return " ".join(names), context.params


@pytest.mark.parametrize(("page", "words"), EVERY, ids=lambda v: v if isinstance(v, str) else None)
def test_every_command_is_one(page, words, monkeypatch):
    monkeypatch.chdir(ROOT)
    name, given = parsed(words)
    if name in reference.COMMANDS and (given["config"] or given["settings"]):
        fields = {"dataset": given["dataset"] or "digits"} if "dataset" in given else {}
        if name == "evaluate":
            fields = {"datasets": given["dataset"]} if given["dataset"] else {}
        file = None if str(given["config"]) == "FILE" else given["config"]
        fields |= {"datasets": ["digits"]} if name == "collect" and file is None else {}
        settings.load(reference.COMMANDS[name], file, given["settings"] or [], fields)


def test_there_are_commands_to_check_and_a_wrong_one_is_seen(monkeypatch):
    assert len(EVERY) > 10
    monkeypatch.chdir(ROOT)
    with pytest.raises(Exception, match="No such option"):
        parsed(["search", "--kandidates", "3"])
    with pytest.raises(UserError, match="unknown key"):
        test_every_command_is_one("", ["search", "-s", "kandidates=3"], monkeypatch)


def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "limits.params" in (tmp_path / "index.html").read_text()
