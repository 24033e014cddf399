"""A family of another package is as good as those that are here."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dass_ray import families
from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.models.network import build
from dass_ray.models.prefix_tree import Room, Walk
from dass_ray.predictor.probes import Maps
from dass_ray.space import Space, preset

from .. import make_task
from ..make import TINY, specs
from ..models.make import assert_close, images, one_by_one


def test_names_of_what_is_here():
    assert families.names()[:2] == ["resnet", "mobilenet"]
    assert families.find("resnet").network == "dass_ray.models.resnet:ResNet"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match="called 'plane'; known: resnet, mobilenet"):
        families.find("plane")


def test_an_installed_family_is_found(installed):
    assert families.names() == ["resnet", "mobilenet", "plain"]
    space = preset("plain")
    assert space.family.name == "plain"
    again = Space.model_validate_json(space.model_dump_json())
    assert again == space
    assert type(again.family) is type(space.family)
    wider = Space(**TINY.model_dump(), family={"name": "plain", "stem": 5})
    assert wider.family.stem == 5
    with pytest.raises(UserError, match="known: micro, paper, micro-mobile, paper-mobile, plain"):
        preset("plane")


def test_spaces_of_two_families_hold_no_students_of_each_other(installed):
    other = Space(**TINY.model_dump(), family="plain")
    assert not TINY.holds(other)
    assert not other.holds(TINY)
    assert other.holds(other)


@torch.no_grad()
def test_costs_and_the_walk_of_an_installed_family(installed):
    space = preset("plain")
    teacher, drawn = make_task.teacher(space), space.sample(12, np.random.default_rng(0))
    x = images(space, 2)
    assert_close(
        Walk(teacher, Maps(x, pooled=False), Room(5000, 1000))(drawn),
        one_by_one(teacher, drawn, x),
    )
    for spec in specs(space, 6):
        net, costs = build(space, spec, 3).eval(), cost(space, space.pack([spec]), 3)
        with FlopCounterMode(display=False) as counter:
            net(x[:1])
        assert sum(p.numel() for p in net.parameters()) == costs.params[0]
        assert counter.get_total_flops() == costs.flops[0]
