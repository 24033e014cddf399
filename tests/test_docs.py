"""The docs: the site is built without a warning, and every command in them is one."""

import os
import re
import subprocess
import sys

import pytest
import typer.main

from dass_ray import reference, settings
from dass_ray.cli.main import app
from dass_ray.errors import UserError

from .doc_commands import EVERY, ROOT

OURS = [one for one in EVERY if one.ours and not re.search(r"\.\.\.|--help", one.text)]


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


@pytest.mark.parametrize("shown", [one for one in OURS if not one.mention], ids=str)
def test_every_command_is_one(shown, monkeypatch):
    monkeypatch.chdir(ROOT)
    check(shown.words)


def check(words):
    name, given = parsed(words)
    if name in reference.COMMANDS and (given["config"] or given["settings"]):
        fields = {"dataset": given["dataset"] or "digits"} if "dataset" in given else {}
        if name == "evaluate":
            fields = {"datasets": given["dataset"]} if given["dataset"] else {}
        file = None if str(given["config"]) == "FILE" else given["config"]
        fields |= {"datasets": ["digits"]} if name == "collect" and file is None else {}
        settings.load(reference.COMMANDS[name], file, given["settings"] or [], fields)


@pytest.mark.parametrize("verb", sorted({one.verb for one in OURS if one.mention}))
def test_every_verb_of_a_sentence_is_one(verb):
    group = typer.main.get_command(app)
    for name in verb.split():
        group = group.commands[name]


def test_there_are_commands_to_check_and_a_wrong_one_is_seen(monkeypatch):
    assert len(OURS) > 100
    monkeypatch.chdir(ROOT)
    with pytest.raises(Exception, match="No such option"):
        parsed(["search", "--kandidates", "3"])
    with pytest.raises(UserError, match="unknown key"):
        check(["search", "-s", "kandidates=3"])


def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "limits.params" in (tmp_path / "index.html").read_text()
