"""Every pod may run where the scheduler lets it, whatever its node selector and required affinity, on any node."""

import json
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labquota.quota import placing, pods
from oracle import Oracle

Manifest = dict[str, Any]
REPEATABLE = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))

KEYS = st.sampled_from(["gpu", "zone", "size", "nvidia.com/gpu.memory", "metadata.name", "no such key"])
VALUES = st.sampled_from(
    ["a100", "h100", "40960", "7", "-7", "+7", "007", "1.5", "", "no value!", "n1", "9" * 20]
)
OPERATORS = st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equals", ""])
LABELS = st.dictionaries(
    st.sampled_from(["gpu", "zone", "size", "nvidia.com/gpu.memory"]), VALUES, max_size=4
)
REQUIREMENTS = st.lists(
    st.fixed_dictionaries(
        {"key": KEYS, "operator": OPERATORS}, optional={"values": st.lists(VALUES, max_size=3)}
    ),
    max_size=3,
)
FIELDS = st.lists(
    st.fixed_dictionaries(
        {"key": st.sampled_from(["metadata.name", "metadata.name", "spec.x"]), "operator": OPERATORS},
        optional={"values": st.lists(st.sampled_from(["n1", "n2", ""]), max_size=2)},
    ),
    max_size=2,
)
TERMS = st.lists(
    st.fixed_dictionaries({}, optional={"matchExpressions": REQUIREMENTS, "matchFields": FIELDS}), max_size=3
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "nodeSelector": LABELS,
        "affinity": st.fixed_dictionaries(
            {},
            optional={
                "nodeAffinity": st.fixed_dictionaries(
                    {},
                    optional={
                        "requiredDuringSchedulingIgnoredDuringExecution": st.fixed_dictionaries(
                            {"nodeSelectorTerms": TERMS}
                        )
                    },
                )
            },
        ),
    },
)


@settings(REPEATABLE, max_examples=3000)
@given(spec=SPECS, node=st.sampled_from(["n1", "n2"]), labels=LABELS)
def test_a_pod_may_run_where_the_scheduler_lets_it(
    oracle: Oracle, spec: Manifest, node: str, labels: dict[str, str]
) -> None:
    manifest = {"spec": {"containers": [], **spec}}
    mine = placing.matches(placing.of(pods.decode(json.dumps(manifest).encode()).spec), node, labels)
    theirs = oracle.place(manifest, {"metadata": {"name": node, "labels": labels}})
    assert {"matches": mine} == theirs, (
        f"\n{yaml.safe_dump(manifest)}\nnode {node}: {labels}\nKubernetes: {theirs}"
    )
