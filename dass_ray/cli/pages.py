"""HTML pages that commands leave as files."""

from pathlib import Path

from dass_ray.errors import UserError


def write(file: Path, page: str) -> None:
    """UserError where the file cannot be written."""
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write the report to {file}: {error.strerror}") from None
