"""Debian's Chromium, without a window."""

import json
import os
import shutil
import subprocess

import pytest

PROGRAM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr",
)  # fmt: skip

needed = pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine")


def opened(file, *more):
    """The DOM of a page once it has run, and the browser's log."""
    dump = "--virtual-time-budget=20000", "--dump-dom"
    done = subprocess.run(
        [PROGRAM, *FLAGS, *dump, *more, _profile(file), file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


def _profile(file):
    return f"--user-data-dir={file.parent / 'profile'}"


class Tab:
    """A page that is looked at and clicked, through Chromium's DevTools protocol over pipes."""

    def __init__(self, file):
        (theirs, self.to), (self.of, mine) = os.pipe(), os.pipe()
        words = [
            PROGRAM,
            *FLAGS,
            "--remote-debugging-pipe",
            "--window-size=1280,900",
            _profile(file),
        ]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{theirs} 4>&{mine}', *words],
            pass_fds=(theirs, mine), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        os.close(mine)
        self.answers, self.number, self.session = open(self.of, "rb"), 0, None  # noqa: SIM115
        target = self.call("Target.createTarget", url="about:blank")
        found = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = found["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=file.as_uri())
        self._until(lambda said: said.get("method") == "Page.loadEventFired")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.answers.close()
        os.close(self.to)

    def call(self, method, **params):
        """What the browser answers to a command."""
        self.number += 1
        said = {"id": self.number, "method": method, "params": params}
        said |= {"sessionId": self.session} if self.session else {}
        os.write(self.to, json.dumps(said).encode() + b"\0")
        found = self._until(lambda said: said.get("id") == self.number)
        assert "error" not in found, found
        return found["result"]

    def _until(self, wanted):
        text = b""
        while True:
            piece = self.answers.read(1)
            assert piece, "the browser has ended"
            if piece != b"\0":
                text += piece
                continue
            if wanted(said := json.loads(text)):
                return said
            text = b""

    def run(self, script):
        """The value of an expression."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def click(self, element):
        """The middle of an element, which an expression gives, with the mouse."""
        self.run(f"({element}).scrollIntoView({{block: 'center'}})")
        box = self.run(
            f"(() => {{ const b = ({element}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        place = {"x": box[0], "y": box[1]}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        press = place | {"button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **press)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **press)
