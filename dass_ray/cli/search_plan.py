"""`dass-ray search --dry-run`: the plan of a search, what the store has of it, and its cost."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console

from dass_ray.cli.tables import table
from dass_ray.config import SearchConfig
from dass_ray.store import look

if TYPE_CHECKING:
    from dass_ray.search_forecast import SearchForecast


def show(config: SearchConfig, console: Console) -> None:
    """Prints it; UserError for what the search itself would refuse."""
    from dass_ray.search_forecast import forecast  # noqa: PLC0415 - Ray and torch take seconds

    found = forecast(config, look(config.store))
    shown = table("what", "which", "there", "to do", folded="which")
    for row in _rows(found):
        shown.add_row(*row)
    console.print(shown)
    for line in summary(found):
        console.print(line, highlight=False, soft_wrap=True)


def _rows(found: "SearchForecast") -> Iterator[tuple[str, str, str, str]]:
    config = found.config
    made = f"{found.data.counts['train']:,} training images" if found.data else "to be made"
    yield "data set", f"{config.dataset}, {made}", *_there(found.data is not None)
    for card in found.teachers:
        yield "teacher", f"{card.id}, validation {card.validation:.1%}", *_there(there=True)
    if not found.teachers:
        yield "teacher", "to be trained", *_there(there=False)
    yield "predictor", found.predictor, "yes", ""
    limits = config.limits.model_dump(exclude_none=True)
    yield "limits", ", ".join(f"{k} ≤ {v:,}" for k, v in limits.items()) or "none", "", ""
    proposed = f"by {config.sampler}, on {', '.join(config.objectives)}"
    missing = max(0, config.candidates - found.scored)
    yield "candidates", proposed, f"{found.scored:,}", f"{missing:,}"
    yield "KD runs", _verified(found), f"{found.done:,}", f"{found.runs - found.done:,}"


def _there(there: bool) -> tuple[str, str]:
    return ("yes", "") if there else ("", "1")


def _verified(found: "SearchForecast") -> str:
    verify = found.config.verify
    rounds = f" in {verify.rounds} rounds" if verify.rounds > 1 else ""
    seeds = f", {len(verify.seeds)} seeds each" if len(verify.seeds) > 1 else ""
    return f"{verify.top} {verify.choose} and {verify.random} random students{seeds}{rounds}"


def summary(found: "SearchForecast") -> list[str]:
    """What the search has, what is left, and how long that takes."""
    store, left = found.config.store, found.runs - found.done
    name = f"search {found.known.id}, begun in" if found.known else "a new search in"
    trained = "" if found.teachers else ", 1 teacher to be trained"
    upto = "up to " if found.students > _asked(found) else ""
    runs = f"{upto}{found.runs:,} KD runs, {found.done:,} there, {left:,} to do{trained}"
    lines = [f"{name} {store}: {runs}"]
    if not left and found.teachers:
        return lines
    cost = found.seconds
    if cost is None:
        return [*lines, "how long they take is not known: no run is measured yet"]
    ends = dict.fromkeys(f"{seconds / 3600:.2f}" for seconds in (cost.least, cost.most))
    return [
        *lines,
        f"about {' to '.join(ends)} hours on one slot of {cost.device!r}, as {cost.measured:,} "
        "runs of the store were measured there; scoring comes on top",
    ]


def _asked(found: "SearchForecast") -> int:
    return found.config.verify.top + found.config.verify.random
