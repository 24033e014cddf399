"""Addresses for nodes that share one machine: a network namespace each, joined by a bridge.

Where there is no root or no iproute2, they are addresses of the loopback, which cannot be cut.
"""

import os
import shutil
import subprocess


def namespaces_work():
    """Whether this process may make network namespaces."""
    if os.geteuid() or not shutil.which("ip"):
        return False
    name = f"dr{os.getpid()}-try"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return False
    _ip("netns", "del", name)
    return True


class Loopback:
    """127.0.0.2, 127.0.0.3, ...: nothing can be cut."""

    def __init__(self):
        self.count = 1

    def plug(self):
        """The next address, and what a command begins with to run there."""
        self.count += 1
        return f"127.0.0.{self.count}", []

    def close(self):
        """There is nothing to be taken away."""


class Namespaces:
    """10.99.0.1, 10.99.0.2, ...: each behind a cable to a bridge that has a namespace, too."""

    def __init__(self):
        self.prefix, self.count = f"dr{os.getpid()}-", 0
        self.bridge = f"{self.prefix}bridge"
        self.names = [self.bridge]
        _ip("netns", "add", self.bridge)
        _ip("-n", self.bridge, "link", "add", "br0", "type", "bridge")
        _ip("-n", self.bridge, "link", "set", "br0", "up")

    def plug(self):
        """The next address, and what a command begins with to run there."""
        self.count += 1
        name, port = f"{self.prefix}{self.count}", f"port{self.count}"
        address = f"10.99.0.{self.count}"
        _ip("netns", "add", name)
        self.names.append(name)
        ends = ["eth0", "netns", name, "type", "veth", "peer", "name", port, "netns", self.bridge]
        _ip("link", "add", *ends)
        _ip("-n", self.bridge, "link", "set", port, "up")
        self.heal(address)
        _ip("-n", name, "address", "add", f"{address}/16", "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip("-n", name, "link", "set", link, "up")
        _ip("-n", name, "route", "add", "default", "dev", "eth0")  # by it Ray finds its address
        return address, ["ip", "netns", "exec", name]

    def cut(self, address):
        """Takes the cable out of the bridge: packets vanish, and nobody is told."""
        _ip("-n", self.bridge, "link", "set", f"port{address.split('.')[-1]}", "nomaster")

    def heal(self, address):
        """Puts it back."""
        _ip("-n", self.bridge, "link", "set", f"port{address.split('.')[-1]}", "master", "br0")

    def close(self):
        """Takes all away; their processes must have ended."""
        for name in self.names:
            _ip("netns", "del", name)


def _ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30)
