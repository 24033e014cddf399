"""TensorBoard's event files, written by tensorboardX, which comes with Ray Tune."""

import re
from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter

from dass_ray.tracking.base import Facts

MOST = 200  # characters of a folder's name; the end of a run's name tells it from others


class TensorBoardRun:
    """One folder, which TensorBoard shows as a run."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.writer = SummaryWriter(str(folder))
        rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
        self.writer.add_text("facts", f"| | |\n|---|---|\n{rows}")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """See `TrackedRun.log`."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def end(self, *, ok: bool) -> None:
        """See `TrackedRun.end`; whether a run ended well is among its facts."""
        self.writer.close()


class TensorBoard:
    """Folders below FOLDER/GROUP."""

    def __init__(self, folder: str, group: str) -> None:
        self.folder = Path(folder).expanduser() / group

    def start(self, name: str, facts: Facts) -> TensorBoardRun:
        """See `Tracker.start`."""
        safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-MOST:]
        return TensorBoardRun(self.folder / safe, facts)
