from dataclasses import asdict, fields, replace

import pyarrow as pa
import pytest

from dass_ray import records
from dass_ray.recipe import DISTILL, KDRecipe, TeacherRecipe
from dass_ray.records import ROW_SCHEMA, RunRow, TeacherCard, run_keys, teacher_id
from dass_ray.space import Space, Spec

from .make import KD, TEACH, TINY, row, run, teacher_card

OTHER_RECIPE = {
    "epochs": 5, "min_steps": 1, "batch_size": 8, "lr": 0.06, "warmup": 0.2, "momentum": 0.8,
    "weight_decay": 0.1, "clip_norm": 2.0, "crop_padding": 2, "flip": False,
}  # fmt: skip
OTHER_KD = {
    "alpha": 0.6, "temperature": 5.0, "views": 3, "start": "last",
    "losses": {"logits": 1.0, "dist": 0.5}, "precision": "bfloat16",
}  # fmt: skip


def of_teacher(**changed):
    return run(teacher=teacher_card(**changed))


def test_key_is_stable():
    """A recorded value: if it changes, every store loses its runs."""
    assert run().key == "b443034058ebc1640963db41e3369fe99e646c4f5ae6be9625fca2d39bb8143d"


@pytest.mark.parametrize(
    ("preset", "key"),
    [
        ("micro", "cc0d9665f40ef376fe046f9fa5ee2e1fbdba26814bc13a4a53f142309d27dc59"),
        ("paper", "959d988a4539070ac7853ad8538bd969b95ed39980460c67ad130356e2c80938"),
    ],
)
def test_keys_of_the_presets_are_stable(preset, key):
    """Recorded before there were losses and precisions to choose from."""
    assert run(recipe=DISTILL[preset]).key == key
    assert run_keys(teacher_card(), DISTILL[preset], 0, [str(TINY.teacher)]) == [key]


def test_the_same_run_has_the_same_key():
    assert run().key == run().key
    assert run(recipe=KDRecipe(**KD.model_dump() | {"momentum": 0.9})).key == run().key


def test_every_ingredient_changes_the_key():
    keys = [
        run().key,
        run(seed=1).key,
        run(Spec.parse("4-4/7-8")).key,
        of_teacher(dataset_fingerprint="e" * 64).key,
        of_teacher(fingerprint="e" * 64).key,
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("field", sorted(KDRecipe.model_fields))
def test_every_setting_of_the_recipe_changes_the_key(field):
    other = (OTHER_RECIPE | OTHER_KD)[field]
    assert run(recipe=KDRecipe(**KD.model_dump() | {field: other})).key != run().key


@pytest.mark.parametrize(
    "change",
    [
        {"id": "t2"}, {"dataset": "same images"}, {"validation": 0.1}, {"test": 0.1},
        {"seconds": 1.0}, {"curve": ()}, {"code_version": "9"}, {"seed": 7}, {"recipe": None},
        {"near_chance": True},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_what_does_not_decide_a_result_is_not_in_the_key(change):
    assert of_teacher(**change).key == run().key


def test_a_new_schema_is_a_new_run(monkeypatch):
    before = run().key, teacher_id("d", TINY, TEACH, 0)
    monkeypatch.setattr(records, "SCHEMA_VERSION", 2)
    after = run().key, teacher_id("d", TINY, TEACH, 0)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_identity_of_a_teacher():
    first = teacher_id("d", TINY, TEACH, 0)
    space = Space(**TINY.model_dump() | {"image_size": 16})
    others = {
        teacher_id("e", TINY, TEACH, 0), teacher_id("d", space, TEACH, 0),
        teacher_id("d", TINY, TEACH, 1),
    }  # fmt: skip
    others |= {
        teacher_id("d", TINY, TeacherRecipe(**TEACH.model_dump() | {field: other}), 0)
        for field, other in (OTHER_RECIPE | {"label_smoothing": 0.2, "flip": True}).items()
    }
    assert len(others | {first}) == 1 + 3 + len(TeacherRecipe.model_fields)
    assert teacher_id("d", TINY, TEACH, 0) == first == "a20de4ee39605b05"


def test_rows_and_parquet_have_the_same_columns():
    assert ROW_SCHEMA.names == [field.name for field in fields(RunRow)]
    assert ROW_SCHEMA.field("curve").type == pa.list_(pa.float64())
    assert ROW_SCHEMA.field("params").type == pa.int64()


@pytest.mark.parametrize(
    "some", [row(), replace(row(), status="diverged", validation=None, test=None, curve=[])]
)
def test_rows_survive_parquet(some):
    table = pa.Table.from_pylist([asdict(some)], schema=ROW_SCHEMA)
    assert RunRow(**table.to_pylist()[0]) == some


def test_cards_survive_json():
    for card in (teacher_card(), teacher_card(recipe=None, seed=None)):
        again = TeacherCard.model_validate_json(card.model_dump_json())
        assert again == card
        assert hash(again) == hash(card)
