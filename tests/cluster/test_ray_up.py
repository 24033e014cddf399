"""cluster/aws.yaml and gcp.yaml against Ray's own schema, and what runs where."""

import jsonschema
import pytest
from ray.autoscaler._private.util import prepare_config, validate_config

from .files import RAY_UP, ray_up

SPOT = {
    "aws": lambda node: node.get("InstanceMarketOptions", {}).get("MarketType") == "spot",
    "gcp": lambda node: node.get("scheduling", {}).get("provisioningModel") == "SPOT",
}


@pytest.fixture(params=RAY_UP)
def config(request):
    return ray_up(request.param)


def types(config):
    """The head's type, and the others."""
    every = dict(config["available_node_types"])
    return every.pop(config["head_node_type"]), every


def spot(config, node_type):
    return SPOT[config["provider"]["type"]](node_type["node_config"])


def test_ray_takes_it(config):
    prepared = prepare_config(config)
    validate_config(prepared)
    commands = [*prepared["head_setup_commands"], *prepared["worker_setup_commands"]]
    assert not [command for command in commands if "pip" in command]  # the image has it all


@pytest.mark.parametrize(
    "spoil",
    [
        lambda config: config.update(max_worker=3),
        lambda config: config["available_node_types"]["cpu"].update(min_workers="none"),
        lambda config: config["docker"].update(images="x"),
    ],
)
def test_ray_would_refuse_a_wrong_one(config, spoil):
    spoil(config)
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config(config))


def test_drivers_run_on_the_head_alone_which_is_on_demand_and_does_no_work(config):
    head, workers = types(config)
    assert not spot(config, head)
    assert (head["resources"]["CPU"], head["resources"]["GPU"]) == (0, 0)
    assert head["resources"]["driver"] >= 1
    assert not any("driver" in one["resources"] for one in workers.values())


def test_kd_runs_on_spot_nodes_of_two_types_of_gpu_and_scoring_on_cpus_on_demand(config):
    workers = types(config)[1]
    gpus = {name for name, one in workers.items() if one["resources"].get("GPU")}
    kinds = {key for name in gpus for key in workers[name]["resources"] if ":" in key}
    assert {name for name, one in workers.items() if spot(config, one)} == gpus
    assert len(kinds) == 2
    assert workers.keys() - gpus == {"cpu"}
    for one in [types(config)[0], *workers.values()]:
        assert one["labels"]["ray.io/market-type"] == ("spot" if spot(config, one) else "on-demand")


def test_it_grows_from_nothing_to_what_the_head_says(config):
    head, workers = types(config)
    assert {one["min_workers"] for one in workers.values()} == {0}
    assert config["max_workers"] == sum(one["max_workers"] for one in workers.values())
    for name, most in (("CPU", "max_cpus"), ("GPU", "max_gpus")):
        reached = sum(
            one["resources"].get(name, 0) * one["max_workers"] for one in workers.values()
        )
        assert head["resources"][most] == reached


def test_every_node_has_an_identity_of_the_cloud_and_only_the_heads_may_start_nodes(config):
    head, workers = types(config)
    key = {"aws": "IamInstanceProfile", "gcp": "serviceAccounts"}[config["provider"]["type"]]
    given = [str(one["node_config"][key]) for one in (head, *workers.values())]
    assert "dass-ray-head" in given[0]
    assert all("dass-ray-worker" in one for one in given[1:])
