"""The card of an exported student: where it comes from, what it does, how to repeat it."""

from dass_ray.export.parity import Parity
from dass_ray.frozen import Frozen
from dass_ray.recipe import KDRecipe
from dass_ray.space import Space

UNKNOWN = "unknown"


class Accuracy(Frozen):
    """Shares in [0, 1] of two splits; students are chosen by validation."""

    validation: float
    test: float


class Prediction(Frozen):
    """What the search expected before the student was distilled."""

    accuracy: float  # on validation
    uncertainty: float  # standard deviation
    predictor: str  # name and fingerprint
    latency_ms: float | None  # of one forward pass, by `latency_table`
    latency_table: str | None


class Timing(Frozen):
    """Milliseconds of one forward pass."""

    batch: int
    ms: float


class FormatCard(Frozen):
    """One form of the student, as it was measured from its file."""

    name: str
    file: str
    bytes: int
    accuracy: Accuracy
    parity: tuple[Parity, ...]  # with the network in PyTorch; none for that one itself
    timings: tuple[Timing, ...]


class StudentCard(Frozen):
    """Everything about an exported student. Accuracies are shares in [0, 1]."""

    spec: str
    run: str  # key
    search: str
    dataset: str
    dataset_source: str
    dataset_fingerprint: str
    teacher: str
    teacher_fingerprint: str
    teacher_accuracy: Accuracy
    space: Space
    recipe: KDRecipe
    seed: int
    classes: tuple[str, ...]
    image_size: int
    mean: tuple[float, ...]  # of channels scaled to [0, 1]
    std: tuple[float, ...]
    onnx_input: str  # how the ONNX files take images; empty where there are none
    params: int
    flops: int
    predicted: Prediction
    verified: Accuracy  # of this run, when it was distilled
    verified_mean: Accuracy  # over the student's runs, `runs` in number
    runs: int
    formats: tuple[FormatCard, ...]
    device: str  # that the formats were timed on
    threads: int
    licence: str
    data_licence: str
    commands: tuple[str, ...]  # repeat it, in a folder with `search.yaml`
    versions: dict[str, str]
