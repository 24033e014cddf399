"""Meta-training: an ensemble learns, over many tasks at once, to rank students of new ones.

Source: Lee et al., ICLR 2023: inner steps on each task's support set, an outer loss on its query
students, through the inner steps.
"""

from collections.abc import Callable, Iterator, Sequence

from scipy.stats import spearmanr

from dass_ray.config import MetaTrainConfig
from dass_ray.predictor.calibrate import calibrated
from dass_ray.predictor.learner import Learner, MetaTrained
from dass_ray.predictor.model import Predictor
from dass_ray.predictor.resume import NotKept, Progress, States
from dass_ray.predictor.runs import TaskRuns

OnProgress = Callable[[int, float], None]
"""(episodes done, best mean Spearman on the validation tasks so far)."""


def meta_train(
    train: Sequence[TaskRuns],
    validation: Sequence[TaskRuns],
    config: MetaTrainConfig,
    on_progress: OnProgress | None = None,
    states: States | None = None,
) -> MetaTrained:
    """Meta-trains an ensemble; the best checkpoint by mean Spearman on the validation tasks.

    states: where to keep the state of the training, and to go on from; the result is the same.
    UserError where the loss stops being finite.
    """
    learner, states = Learner(train, config), states or NotKept()
    progress = states.load(learner) or Progress(0, None)
    for episode in _remaining(progress, config):
        learner.step(episode)
        progress.episode = episode
        if episode % config.validate_every and episode != config.episodes:
            continue
        predictor = learner.predictor()
        found = MetaTrained(
            predictor, episode, {r.name: spearman(predictor, r) for r in validation}
        )
        if progress.best is None or mean(found) > mean(progress.best):
            progress.best = found
        states.save(learner, progress)
        if on_progress:
            on_progress(episode, mean(progress.best))
    best = progress.best
    assert best is not None
    return MetaTrained(calibrated(best.predictor, validation), best.episode, best.validation)


def _remaining(progress: Progress, config: MetaTrainConfig) -> Iterator[int]:
    """The numbers of the episodes that are still to be done, until patience ends."""
    while progress.episode < config.episodes:
        best = progress.best
        if best and progress.episode - best.episode >= config.patience:
            return
        yield progress.episode + 1


def mean(found: MetaTrained) -> float:
    """Mean Spearman over the validation tasks."""
    return sum(found.validation.values()) / len(found.validation)


def spearman(predictor: Predictor, runs: TaskRuns) -> float:
    """Rank correlation of predicted and real accuracy over the students of one task.

    0 where all scores or all accuracies are equal: that ranks nothing.
    """
    scores = predictor.adapted(runs.task).score(runs.students).mean
    if min(len(scores.unique()), len(runs.accuracy.unique())) == 1:
        return 0.0
    return float(spearmanr(scores.numpy(), runs.accuracy.numpy()).statistic)
