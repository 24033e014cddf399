"""A store after a search: three students with two seeds each; one of them diverged twice."""

from dass_ray import ledger, searches
from dass_ray.config import SearchConfig
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import TeacherPlan, load_net, train_into
from dass_ray.kd.views import soft_labels
from dass_ray.models.weights import to_bytes
from dass_ray.searches import Choice, Round, SearchCard
from dass_ray.space import Spec
from dass_ray.verify import runs

from .. import make_task
from ..make import KD, TEACH, TINY, Memory, row
from ..make_latency import latency_table

FIRST, SECOND, WILD = Spec.parse("4/6-8"), Spec.parse("4-4/8"), Spec.parse("3-4/8")
VALIDATION = {FIRST: (0.9, 0.6), SECOND: (0.7, 0.85), WILD: (None, None)}
"""So that SECOND is better on average, and FIRST has the best run."""
LATENCY = {FIRST: 1.5, SECOND: 2.5, WILD: 1.0}  # ms


def filled():
    store = Memory()
    data = make_task.stored(store, size=10).resized(8)  # stored larger than the space's images
    teacher = train_into(store, TeacherPlan(TINY, TEACH, 0), data)
    net = load_net(store, teacher)
    config = SearchConfig(
        dataset="tinges", space=TINY, teacher=TEACH, kd=KD, verify={"seeds": (0, 1)},
        latency="abacus",
    )  # fmt: skip
    card = SearchCard(
        id="mine", config=config, teacher=teacher, predictor="p", started_at=0.0, code_version="1"
    )
    searches.write_object(store, latency_table(), "latencies/abacus/table.json")
    searches.write_object(store, card, "searches/mine/card.json")
    chosen, labels = [], soft_labels(net, data, KD)
    for spec, validations in VALIDATION.items():
        for run, value in zip(runs(card, str(spec)), validations, strict=True):
            if value is not None:
                student = distil(spec, net, labels, data, KD, run.seed).net
                store.put(f"students/{run.key}.safetensors", to_bytes(student.state_dict()))
            ledger.commit(store, [row(
                run.key, dataset="tinges", spec=str(spec), seed=run.seed, params=11, flops=22,
                status="ok" if value else "diverged", validation=value, test=value and value - 0.05,
                dataset_fingerprint=data.card.fingerprint, teacher_fingerprint=teacher.fingerprint,
            )])  # fmt: skip
        chosen.append(Choice(
            spec=str(spec), role="top", round=1, predicted=0.5, uncertainty=0.1, params=11,
            flops=22, latency=LATENCY[spec], keys=tuple(run.key for run in runs(card, str(spec))),
        ))  # fmt: skip
    for number, students in enumerate((chosen[:2], chosen[2:]), 1):
        searches.write_round(store, "mine", number, Round(students=tuple(students), candidates=8))
    return store


def without_latencies(store):
    """The same search as if it had no latency table."""
    for path in store.list("searches/mine/rounds"):
        one = Round.model_validate_json(store.objects.pop(path))
        plain = tuple(choice.model_copy(update={"latency": None}) for choice in one.students)
        one = one.model_copy(update={"students": plain})
        store.put(path, one.model_dump_json().encode())
    card = searches.card(store, "mine")
    config = card.config.model_copy(update={"latency": None})
    del store.objects["searches/mine/card.json"]
    searches.write_object(
        store, card.model_copy(update={"config": config}), "searches/mine/card.json"
    )


def with_two_teachers(store):
    """The same search as if it had a second teacher, and FIRST were distilled from that one."""
    card = searches.card(store, "mine")
    second = card.teacher.model_copy(update={"id": "t2", "fingerprint": "e" * 64})
    for path in store.list("searches/mine/rounds"):
        one = Round.model_validate_json(store.objects.pop(path))
        students = tuple(
            choice.model_copy(
                update={"teacher": "t2" if choice.spec == str(FIRST) else card.teacher.id}
            )
            for choice in one.students
        )
        one = one.model_copy(update={"students": students})
        store.put(path, one.model_dump_json().encode())
    del store.objects["searches/mine/card.json"]
    several = card.model_copy(update={"others": (second,)})
    searches.write_object(store, several, "searches/mine/card.json")
