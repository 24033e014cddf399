"""Ledgers with parts of both kinds, and stores that go wrong at a chosen moment."""

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger.compact import compact

from ..make import row


class Lost(Exception):
    """The process is killed here."""


class Watched:
    """A store that does something before some call of a method; it counts the calls."""

    def __init__(self, store, method="", at=0, do=None):
        self.store, self.method, self.at, self.do, self.calls = store, method, at, do, 0
        self.asked = []

    def __getattr__(self, name):
        found = getattr(self.store, name)
        if name not in ("put", "get", "list", "delete", "exists"):
            return found

        def call(*arguments):
            self.asked.append((name, arguments[0]))
            if name == self.method:
                self.calls += 1
                if self.calls == self.at:
                    self.do()
            return found(*arguments)

        return call


def killed():
    raise Lost


def refused():
    raise UserError("the server is gone: run again")


def parts(store, *groups, **facts):
    """One loose part for each word, with a run for each of its letters."""
    for group in groups:
        ledger.commit(store, [row(key, seed=ord(key), **facts) for key in group])


def keys(store):
    return ledger.read(store, ["key"])["key"].to_pylist()


def streamed(store, **asked):
    return sorted(
        key for table in ledger.batches(store, **asked) for key in table["key"].to_pylist()
    )


def compacted(store, **facts):
    """Nine runs in two large parts, of 6 and 3, then two loose ones, with a double."""
    parts(store, "abc", "def", "ghi", **facts)
    compact(store, rows=5)
    parts(store, "xa", "y", **facts)
    return store
