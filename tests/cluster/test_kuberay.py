"""cluster/kuberay against the schemas of KubeRay (trimmed) and Kubernetes, and what runs where."""

from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from .files import FOLDER, KUBERAY, groups, kuberay, spec_of

SCHEMA = yaml.safe_load(Path(__file__).with_name("kuberay_schema.yaml").read_text())
KUBERNETES = "1.32"
PLAIN = sorted({file.name for file in (FOLDER / "kuberay").glob("*.yaml")} - set(KUBERAY))


def affinity(pod):
    """The expressions of a pod's node affinity, any of whose terms is enough."""
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return [term["matchExpressions"] for term in terms["nodeSelectorTerms"]]


def on_demand(pod):
    """Not on a node that one of the clouds calls spot."""
    (term,) = affinity(pod)
    return len(term) == 3 and all(one["operator"] == "NotIn" for one in term)


def spot(pod):
    return len(affinity(pod)) == 3 and all(one["operator"] == "In" for (one,) in affinity(pod))


def gpus(group):
    (container,) = group["template"]["spec"]["containers"]
    return int(container["resources"]["limits"].get("nvidia.com/gpu", 0))


@pytest.mark.parametrize("name", KUBERAY)
def test_kuberay_takes_it(name):
    (document,) = kuberay(name)
    jsonschema.validate(document, SCHEMA)
    for group in groups(spec_of(name)):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}}
        kubernetes_validate.validate(pod | group["template"], KUBERNETES, strict=True)


@pytest.mark.parametrize("name", PLAIN)
def test_kubernetes_takes_it(name):
    for document in kuberay(name):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spec: spec.update(backoff=3),
        lambda spec: spec["rayClusterSpec"].update(workerGroups=[]),
        lambda spec: spec["rayClusterSpec"]["workerGroupSpecs"][0].update(minReplicas="0"),
        lambda spec: spec["rayClusterSpec"]["headGroupSpec"].pop("template"),
    ],
)
def test_kuberay_would_refuse_a_wrong_one(spoil):
    (document,) = kuberay("rayjob.yaml")
    spoil(document["spec"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_kubernetes_would_refuse_a_wrong_pod():
    template = spec_of("raycluster.yaml")["headGroupSpec"]["template"]
    template["spec"]["tolerance"] = []
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod | template, KUBERNETES, strict=True)


def test_a_job_has_the_cluster_of_raycluster():
    assert spec_of("rayjob.yaml") == spec_of("raycluster.yaml")


def test_a_job_is_tried_again_and_its_cluster_ends_with_it():
    (document,) = kuberay("rayjob.yaml")
    spec = document["spec"]
    assert spec["backoffLimit"] > 0
    assert spec["shutdownAfterJobFinishes"]
    assert yaml.safe_load(spec["entrypointResources"]) == {"driver": 1}


def test_drivers_run_on_the_head_alone_which_is_on_demand_and_does_no_work():
    head, *workers = groups(spec_of("raycluster.yaml"))
    assert on_demand(head["template"]["spec"])
    assert (head["resources"]["CPU"], head["resources"]["GPU"]) == ("0", "0")
    assert int(head["resources"]["driver"]) >= 1
    assert not any("resources" in one for one in workers)  # they have what their pods have


def test_kd_runs_on_spot_nodes_of_two_types_of_gpu_and_scoring_on_cpus_on_demand():
    _, *workers = groups(spec_of("raycluster.yaml"))
    kd = [one for one in workers if gpus(one)]
    assert len({str(one["template"]["spec"]["nodeSelector"]) for one in kd}) == len(kd) == 2
    for one in workers:
        pod = one["template"]["spec"]
        assert spot(pod) if gpus(one) else on_demand(pod)
        assert one["labels"]["ray.io/market-type"] == ("spot" if gpus(one) else "on-demand")
        assert ("tolerations" in pod) == bool(gpus(one))


def test_it_grows_from_nothing_to_what_the_head_says():
    head, *workers = groups(spec_of("raycluster.yaml"))
    assert {one["minReplicas"] for one in workers} == {0}
    reached = [(gpus(one), one["maxReplicas"]) for one in workers]
    assert int(head["resources"]["max_gpus"]) == sum(each * most for each, most in reached)
    cpus = sum(
        int(one["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
        * one["maxReplicas"]
        for one in workers
    )
    assert int(head["resources"]["max_cpus"]) == cpus


def test_the_heads_knowledge_outlives_it():
    spec = spec_of("raycluster.yaml")["gcsFaultToleranceOptions"]
    service, redis = kuberay("redis.yaml")
    assert (
        spec["redisAddress"]
        == f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    )
    assert redis["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"]
    assert on_demand(redis["spec"]["template"]["spec"])


def test_every_pod_has_probes_and_an_account_and_no_rights_on_its_node():
    (account,) = kuberay("service-account.yaml")
    for group in groups(spec_of("raycluster.yaml")):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["serviceAccountName"] == account["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"readinessProbe", "livenessProbe"} <= container.keys()
