import pytest

from dass_ray.errors import UserError
from dass_ray.kd.arguments import check_names
from dass_ray.kd.foreign_teachers import train_into
from dass_ray.kd.given import Given
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.network import Network
from dass_ray.recipe import TEACHERS
from dass_ray.store import open_store

from .. import make_task
from ..make import TINY


def resnet(**arguments):
    return Network(source="transformers:resnet", arguments=arguments)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (resnet(hiden_sizes=[8]), "transformers:resnet has no 'hiden_sizes'; did you mean hidden_"),
        (resnet(depth=[1]), "no 'depth'; did you mean depths"),
        (resnet(zzz=1), "no 'zzz'; known: num_channels, embedding_size, .*layer_type"),
        (resnet(to_dict=1), "no 'to_dict'"),  # a method is no setting
    ],
)
def test_a_misspelt_name(network, message):
    with pytest.raises(UserError, match=message) as caught:
        check_names(network)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "network",
    [
        resnet(depths=[1], num_labels=3, id2label={"0": "a"}, out_features=["stage1"]),
        Network(source="transformers:resnte", arguments={"depths": [1]}),  # told by `foreign`
        Network(source="nowhere:Net", arguments={"depth": 1}),
    ],
)
def test_names_that_are_known_and_sources_that_check_themselves(network):
    check_names(network)


def test_nothing_is_trained_with_a_misspelt_name(tmp_path):
    store, data = open_store(str(tmp_path)), make_task.dataset(size=8)
    plan = TeacherPlan(TINY, TEACHERS["micro"], 0, resnet(hiden_sizes=[8]))
    with pytest.raises(UserError, match="did you mean hidden_sizes"):
        train_into(store, plan, data)


def test_a_saved_configuration_may_hold_other_names():
    """Those of other versions of the library; what a person writes may not."""
    given = Given(resnet(of_a_newer_version=1), {}, "a folder")
    assert given.changed({"image_size": 16})
    with pytest.raises(UserError, match="did you mean depths"):
        given.changed({"arguments": {"depth": [1]}})
