"""The rounds of a search: distil the best predicted, learn from what they reached, choose again.

A round is chosen by the predictor adapted to the teacher and to the verified students of the
rounds before it; the first one by the teacher alone. The store is the truth: a round's choice is
committed before its first distillation, so a search that was killed goes on in the round where it
was, and every student keeps the prediction that was made before it was verified.
"""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import ray

from dass_ray import ledger, searches, verify
from dass_ray.actors import scorer
from dass_ray.actors.scorer import Support
from dass_ray.collect import distil_all
from dass_ray.config import SearchConfig
from dass_ray.errors import UserError
from dass_ray.predictor.scorer import Scored
from dass_ray.searches import Round, SearchCard
from dass_ray.space import Spec
from dass_ray.store.base import Store
from dass_ray.watch import Prefixed, Watcher


def first(store: Store, card: SearchCard, scorers: Sequence[Any]) -> Round:
    """The students of round 1, with the random ones: the store's record, or a new one.

    UserError where no candidate is within the limits.
    """
    if chosen := searches.read_round(store, card.id, 1):
        return chosen
    config, space = card.config, card.config.space
    share = verify.shares(config.verify.top, config.verify.rounds)[0]
    best = verify.best_predicted(searches.read_batches(store, card.id), share)
    if not best:
        raise UserError(
            f"none of the {config.candidates} candidates is within the limits: raise limits.* "
            "or candidates"
        )
    random = verify.drawn_at_random(config, len(card.teacher.classes), best)
    scored = ray.get(scorers[0].score.remote(space.pack([*best, *random])))
    chosen = verify.choices(card, 1, best, random, scored)
    return searches.write_round(store, card.id, 1, chosen)


def verify_all(store: Store, config: SearchConfig, card: SearchCard, watcher: Watcher) -> None:
    """Distils every round's students; from the second round on, chooses them first.

    config: of this call, whose store and resources may differ from the card's.
    """
    count = card.config.verify.rounds
    for number in range(1, count + 1):
        told = Prefixed(watcher, f"round {number} of {count}: ") if count > 1 else watcher
        chosen = searches.read_round(store, card.id, number)
        chosen = chosen or _next(store, config, card, number, told)
        if chosen is None:
            return
        runs = [run for choice in chosen.students for run in verify.runs(card, choice.spec)]
        distil_all(config, runs, told, shard=1, keep_weights=True)


def _next(
    store: Store, config: SearchConfig, card: SearchCard, number: int, watcher: Watcher
) -> Round | None:
    """The students of a later round; None where every candidate within the limits is verified."""
    earlier = searches.choices(store, card.id)
    left = verify.unverified(searches.read_batches(store, card.id), earlier)
    if not left:
        return None
    rows = ledger.rows_of(store, [key for choice in earlier for key in choice.keys])
    with scorer.started(store.uri, config.predictor, card.teacher, config.resources) as scorers:
        scored = _score(card, scorers, left, verify.support(earlier, rows), watcher)
    share = verify.shares(card.config.verify.top, card.config.verify.rounds)[number - 1]
    best, columns = verify.best(left, scored, share)
    return searches.write_round(
        store, card.id, number, verify.choices(card, number, best, [], columns)
    )


def _score(
    card: SearchCard, scorers: Sequence[Any], specs: list[Spec], support: Support, watcher: Watcher
) -> Scored:
    """Scores at least one student, in chunks that do not depend on the number of scorers."""
    watcher.phase("scoring candidates again", len(specs))
    size, done, parts = card.config.batch, 0, []
    chunks = [card.config.space.pack(specs[i : i + size]) for i in range(0, len(specs), size)]
    refs = [
        scorers[i % len(scorers)].score.remote(chunk, support) for i, chunk in enumerate(chunks)
    ]
    for chunk, ref in zip(chunks, refs, strict=True):
        parts.append(astuple(ray.get(ref)))
        done += len(chunk)
        watcher.step(done, f"learned from {len(support)} students")
    return Scored(*map(np.concatenate, zip(*parts, strict=True)))
