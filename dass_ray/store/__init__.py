"""Stores: complete objects in a local folder, in S3 or on any file system pyarrow knows."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from dass_ray.errors import UserError
from dass_ray.store.base import PROBE_FOLDER, Store
from dass_ray.store.empty import EmptyStore
from dass_ray.store.local import LocalStore

# The backends of clouds are imported where they are used: boto3 and pyarrow take 0.4 s and 0.2 s,
# which no user of a local store should wait for at each command.
# ruff: noqa: PLC0415


def open_store(uri: str, *, write: bool = True, known: bool = False) -> Store:
    """Return the store at `./folder`, `file:///folder`, `s3://bucket/prefix` or a pyarrow URI.

    With `write`, makes a missing local folder and probes the store with two puts. Without, nothing
    is changed, and a store in the cloud is first asked when it is first used. With `known`, another
    process has used this URI: a server that does not answer is waited for, as one that did before.

    Raises `UserError` if the store cannot be reached or written, if it is a local folder that is
    missing (without `write`), or if its server ignores conditional puts.
    """
    if folder := local_folder(uri):
        return _open_local(folder, write)
    store = _connect(uri, _scheme(uri), known)
    if write:
        probe(store)
    return store


def local_folder(uri: str) -> Path | None:
    """The absolute folder of a store on this machine; None for one in the cloud."""
    scheme = _scheme(uri)
    return _folder(uri, scheme) if scheme in ("", "file") else None


def look(uri: str) -> Store:
    """The store of a dry run, which writes nothing: an empty one where the folder is missing."""
    folder = local_folder(uri)
    if folder is not None and not folder.exists():
        return EmptyStore(str(folder))
    return open_store(uri, write=False)


def probe(store: Store) -> None:
    """Put two objects under one new path; raise `UserError` unless the second one is refused."""
    path = f"{PROBE_FOLDER}/{uuid4().hex}"
    created = store.put(path, b"first")
    try:
        replaced = store.put(path, b"second")
    finally:
        store.delete(path)
    if replaced or not created:
        from dass_ray.store.s3_errors import USE_ANOTHER_SERVER

        raise UserError(f"{store.uri}: the server ignores conditional puts: {USE_ANOTHER_SERVER}")


def _connect(uri: str, scheme: str, known: bool) -> Store:
    if scheme == "s3":
        from dass_ray.store.s3 import S3Store

        return S3Store(uri, known)
    from dass_ray.store.arrow import ArrowStore

    return ArrowStore.connect(uri)


def _open_local(folder: Path, write: bool) -> Store:
    store = LocalStore(folder)
    if not write:
        store.check()
        return store
    store.prepare()
    probe(store)
    return store


def _scheme(uri: str) -> str:
    """Return the scheme in lower case, "" for a path. Refuse `s3:/x`, which is likely a slip."""
    match = re.match(r"([a-z][a-z0-9+.-]+):(//)?", uri, re.IGNORECASE)
    if match and not match[2]:
        raise UserError(f"store {uri!r}: write {match[1]}://... for a URI, ./{uri} for a folder")
    return match[1].lower() if match else ""


def _folder(uri: str, scheme: str) -> Path:
    parts = urlsplit(uri) if scheme else None
    if parts and (parts.netloc not in ("", "localhost") or parts.query or parts.fragment):
        raise UserError(f"store {uri!r}: write file:///absolute/path")
    path = unquote(parts.path) if parts else uri
    if not path or "\0" in path:
        raise UserError(f"store {uri!r}: name a folder, such as ./store")
    return Path(os.path.abspath(Path(path).expanduser()))
