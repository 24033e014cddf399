import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.config import (
    CollectConfig,
    CompareConfig,
    EvaluateConfig,
    MetaTrainConfig,
    SearchConfig,
    TeacherConfig,
)
from dass_ray.errors import UserError
from dass_ray.limits import Limits
from dass_ray.recipe import DISTILL, TEACHERS
from dass_ray.settings import load
from dass_ray.space import MICRO, PAPER

from .make import TINY, few

CONFIGS = Path(__file__).parents[1] / "configs"
TINY_YAML = "{name: tiny, image_size: 8, widths: [4, 8], strides: [1, 2], max_depth: 2}"


def search(*settings):
    return load(SearchConfig, None, ["dataset=digits", *settings])


def changed(recipe, **change):
    return type(recipe)(**recipe.model_dump() | change)


def test_defaults():
    config = search()
    assert (config.space, config.store, config.address) == (MICRO, "./store", None)
    assert (config.teacher, config.kd) == (TEACHERS["micro"], DISTILL["micro"])
    assert config.limits == Limits()


def test_several_teachers():
    assert search("teachers=[t1, t2]").teachers == ("t1", "t2")
    assert "teachers" not in search().model_dump()  # so that searches keep their identities
    for settings, message in (
        (["teachers=[t1, t2, t1]"], "the teacher 't1' is named twice"),
        (["teachers=[t1]", "teacher_id=t1"], "teacher_id and teachers are both set"),
        (["teachers=t1"], r"teachers: write a list, as in \[t1\]$"),
    ):
        with pytest.raises(UserError, match=message):
            search(*settings)
    with pytest.raises(UserError, match=r"^the settings: ways are compared on one"):
        load(CompareConfig, None, ["dataset=digits", "under=[{params: 9}]", "teachers=[t1, t2]"])


def test_what_a_comparison_needs():
    words = ["dataset=digits", "under=[{params: 9}, {latency: 1.0}]"]
    with pytest.raises(UserError, match="latency needs a table: `dass-ray latency measure NAME`"):
        load(CompareConfig, None, words)
    assert load(CompareConfig, None, [*words, "latency=here"]).under[1].latency == 1
    with pytest.raises(UserError, match=r"set verify\.random, as to 8$"):
        load(CompareConfig, None, [*words, "latency=here", "verify.random=0"])


def test_a_probe_is_halved_evenly():
    words = ["name=n", "train=[a]", "validation=[b]"]
    message = r"encodings.probe_size 20 is no multiple of 8, the strides' product$"
    with pytest.raises(UserError, match=message):
        load(MetaTrainConfig, None, [*words, "encodings.probe_size=20"])
    load(MetaTrainConfig, None, [*words, "encodings.probe_size=24"])


def test_a_file_and_settings_on_top(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("dataset: digits\nkd: {epochs: 3}\nlimits: {params: 1000}\ncandidates: 10\n")
    config = load(SearchConfig, file, ["limits.params=2000", "kd.lr=0.1", "candidates=20"])
    assert config.kd == changed(DISTILL["micro"], epochs=3, lr=0.1)
    assert config.limits == Limits(params=2000)
    assert config.candidates == 20


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("limits.params=200000", "limits.params", 200_000),
        ("limits.params=200_000", "limits.params", 200_000),
        ("limits.flops=null", "limits.flops", None),
        ("limits.flops=", "limits.flops", None),
        ("kd.lr=1e-3", "kd.lr", 0.001),
        ("kd.flip=false", "kd.flip", False),
        ("predictor=a=b", "predictor", "a=b"),
        ("verify.seeds=[0, 1]", "verify.seeds", (0, 1)),
        ("verify={top: 9}", "verify.top", 9),
        ("verify.rounds=4", "verify.rounds", 4),
        ("store=s3://bucket/x", "store", "s3://bucket/x"),
        ("dataset=textures:3", "dataset", "textures:3"),
        (f"space={TINY_YAML}", "space", TINY),
        ("space=paper", "space", PAPER),
        ("objectives=[accuracy]", "objectives", ("accuracy",)),
    ],
)
def test_forms_of_a_setting(setting, path, value):
    found = search(setting)
    for part in path.split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), DISTILL["micro"]),
        (("kd=paper",), DISTILL["paper"]),
        (("kd.preset=paper",), DISTILL["paper"]),
        (("kd={preset: paper, epochs: 9}",), changed(DISTILL["paper"], epochs=9)),
        (("kd=paper", "kd.epochs=9"), changed(DISTILL["paper"], epochs=9)),
        (("kd.epochs=9", "kd.preset=paper"), changed(DISTILL["paper"], epochs=9)),
        (("kd.epochs=9", "kd=paper"), DISTILL["paper"]),
        (("kd.epochs=9", "kd.epochs=8"), changed(DISTILL["micro"], epochs=8)),
    ],
)
def test_presets_are_changed_and_the_last_setting_counts(settings, expected):
    assert search(*settings).kd == expected


def test_losses_are_those_that_are_named():
    assert search("kd.losses={logits: 1.0, attention: 0.1}").kd == changed(
        DISTILL["micro"], losses={"logits": 1, "attention": 0.1}
    )
    assert search("kd.losses.dist=2").kd == changed(DISTILL["micro"], losses={"dist": 2})


def test_each_recipe_has_its_own_presets():
    config = search("teacher=paper", "teacher.label_smoothing=0")
    assert config.teacher == changed(TEACHERS["paper"], label_smoothing=0)
    assert config.kd == DISTILL["micro"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("candidate=5", "unknown key 'candidate'; did you mean 'candidates'?"),
        ("kd.epohcs=5", "unknown key 'kd.epohcs'; did you mean 'epochs'?"),
        ("kd.losses.atention=5", "unknown key 'kd.losses.atention'; did you mean 'attention'?"),
        ("kd.losses={fitnets: 1}", "unknown key 'kd.losses.fitnets'; did you mean 'hints'?"),
        ("kd.losses.logits=0", "kd.losses: no loss has a weight"),
        ("kd.label_smoothing=0", "unknown key 'kd.label_smoothing'; "),
        ("limits.parameters=5", "unknown key 'limits.parameters'; did you mean 'params'?"),
        ("verify.tops=5", "unknown key 'verify.tops'; did you mean 'top'?"),
        ("resources.gpu_per_run=1", "did you mean 'gpus_per_run'?"),
        ("resources.gpus_per_run=2", "resources.gpus_per_run"),
        ("resources.gpus_per_run=some", "resources.gpus_per_run"),
        ("space.width=[1]", "unknown key 'space.width'; did you mean 'widths'?"),
        ("kd=papers", "no recipe is called 'papers'; known: micro, paper"),
        ("kd.preset=[paper]", "no recipe is called"),
        ("kd=3", "kd: "),
        ("space=papers", "no space is called 'papers'; known: micro, paper"),
        ("space={preset: micro, image_size: 32}", "space: a preset is taken as it is: write the"),
        ("network={source: 'a:B', arguments: [1]}", "network.arguments: write names and values, "),
        ("candidates=many", "candidates: Input should be a valid integer"),
        ("sampler=tpee", "sampler: "),
        ("candidates", "--set 'candidates' needs the form key=value"),
        ("=5", "needs the form key=value"),
        ("candidates.x.y=5", "candidates"),
        ("store.x=5", "store: "),
        ("verify.seeds.x=5", "verify.seeds: "),
        ("verify.rounds=0", "verify.rounds: "),
        ("verify.rounds=5", "rounds must be at most top"),
        ("name=[", "'[' is not a YAML value"),
        ("name=a/b", "name: "),
        ("name=../b", "name: "),
        ("objectives=[]", "objectives: "),
        ("kd.lr=.nan", "kd.lr: "),
        ("kd.lr=.inf", "kd.lr: "),
        ("seed=-1", "seed: "),
        ("seed=4294967296", "seed: "),
    ],
)
def test_errors_are_one_line_that_names_the_key(setting, message):
    with pytest.raises(UserError) as caught:
        search(setting)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_come_last_and_are_taken_as_they_are():
    config = load(
        SearchConfig, None, ["dataset=digits", "store=a"], {"store": "1: b", "dataset": "null"}
    )
    assert (config.store, config.dataset) == ("1: b", "null")


def test_a_search_and_its_teacher_have_one_file(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("{dataset: digits, teacher: {lr: 0.2}, limits: {params: 9}, kd: {epochs: 3}}")
    config = load(TeacherConfig, file, ["teacher_seed=4"], shared_with=SearchConfig)
    assert (config.teacher.lr, config.teacher_seed) == (0.2, 4)
    assert type(config) is TeacherConfig
    with pytest.raises(UserError, match="unknown key 'kd'"):  # it would do nothing
        load(TeacherConfig, file, ["kd.epochs=4"], shared_with=SearchConfig)
    with pytest.raises(UserError, match="unknown key 'limits'"):
        load(TeacherConfig, file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{dataset: digits, kd: {epoch: 3}}", "a.yaml: unknown key 'kd.epoch'; did you mean"),
        ("{dataset: digits, candidates: none}", "a.yaml: candidates: "),
        (
            "{dataset: digits, kd: micro, limts: {params: 9}}",
            "a.yaml: unknown key 'limts'; did you mean 'lim",
        ),
    ],
)
def test_mistakes_in_the_other_command_s_part_of_a_file(tmp_path, text, message):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        load(TeacherConfig, tmp_path / "a.yaml", shared_with=SearchConfig)


def test_a_misspelt_key_is_not_called_missing():
    with pytest.raises(UserError, match="unknown key 'datset'; did you mean 'dataset'"):
        load(SearchConfig, None, ["sampler=tpee", "datset=digits"])


def test_a_setting_below_a_value_that_holds_no_keys(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("dataset: digits\ncandidates: 3\n")
    with pytest.raises(UserError, match=r"--set 'candidates\.x=5': 'candidates' holds no keys"):
        load(SearchConfig, file, ["candidates.x=5"])


@pytest.mark.parametrize("text", ["", "# nothing here\n"])
def test_an_empty_file_sets_nothing(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    assert load(SearchConfig, tmp_path / "a.yaml", ["dataset=digits"]) == search()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "is not YAML"),
        (b"a: \xff\xfe", "is not YAML"),
        (b"- a\n- b\n", "must hold keys and values"),
        (b"dataset", "must hold keys and values"),
        (b"dataset: [1]", "dataset: Input should be a valid string"),
        (b"{}", "'dataset' is missing: write it"),
    ],
)
def test_files_that_are_no_config(tmp_path, content, message):
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load(SearchConfig, file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the config .*none\.yaml: No such file"):
        load(SearchConfig, tmp_path / "none.yaml")
    with pytest.raises(UserError, match="Is a directory"):
        load(SearchConfig, tmp_path)


recipes = st.fixed_dictionaries(
    {"preset": st.sampled_from(["micro", "paper"])},
    optional={"epochs": st.integers(1, 99), "lr": st.floats(1e-6, 10), "flip": st.booleans()},
)


@few
@given(st.sampled_from(["micro", "paper"]), recipes, recipes, st.none() | st.integers(1))
def test_resolved_config_round_trip(space, kd, teacher, params):
    raw = {"dataset": "digits", "space": space, "kd": kd, "teacher": teacher}
    config = SearchConfig.parse(raw | {"limits": {"params": params}}, "")
    assert SearchConfig.model_validate_json(config.model_dump_json()) == config
    for name, value in kd.items():
        assert name == "preset" or getattr(config.kd, name) == value
    rest = set(type(config.kd).model_fields) - kd.keys()
    assert all(getattr(config.kd, k) == getattr(DISTILL[kd["preset"]], k) for k in rest)


def test_a_teacher_as_a_meta_dataset():
    teacher = load(
        TeacherConfig, None,
        ["dataset=digits", "teacher_seed=3", "teacher.epochs=9", f"space={TINY_YAML}",
         "store=elsewhere", "address=auto", "resources.scorers=2"],
    )  # fmt: skip
    config = CollectConfig.of_teacher(teacher)
    assert (config.datasets, config.teacher_seeds) == (("digits",), (3,))
    for name in ("store", "address", "resources", "space", "teacher"):
        assert getattr(config, name) == getattr(teacher, name)


@pytest.mark.parametrize("file", sorted(os.listdir(CONFIGS)))
def test_the_configs_of_the_repository(file):
    kinds = {
        "collect": CollectConfig, "compare": CompareConfig, "evaluate": EvaluateConfig,
        "meta_train": MetaTrainConfig,
    }  # fmt: skip
    kind = next((kind for word, kind in kinds.items() if word in file), SearchConfig)
    assert isinstance(load(kind, CONFIGS / file), kind)


def test_one_recipe_or_several():
    one = load(CollectConfig, None, ["datasets=[a]", "kd.epochs=9"])
    assert [recipe.epochs for recipe in one.kd] == [9]
    two = load(CollectConfig, None, ["datasets=[a]", "kd=[paper, {preset: micro, epochs: 3}]"])
    assert [recipe.epochs for recipe in two.kd] == [DISTILL["paper"].epochs, 3]
    with pytest.raises(UserError, match=r"unknown key 'kd\.1\.epoch'; did you mean 'epochs'"):
        load(CollectConfig, None, ["datasets=[a]", "kd=[paper, {preset: micro, epoch: 3}]"])
    with pytest.raises(UserError, match="kd"):
        load(CollectConfig, None, ["datasets=[a]", "kd=[]"])
