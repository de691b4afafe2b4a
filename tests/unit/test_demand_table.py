"""What pods ask for and hold, each case a sentence. The differential tests hold thousands more against Kubernetes."""

from typing import NamedTuple

import pytest
import yaml

from labquota.quota import demand, pods
from labquota.quota.amounts import Amounts
from labquota.quota.quantities import MAX, QuantityError


class Case(NamedTuple):
    """`pod` is a spec, or a whole pod where there is a `spec:` in it; "pods": 1 is in every answer."""

    sentence: str
    pod: str
    amounts: Amounts


def read(text: str) -> pods.Pod:
    manifest = yaml.safe_load(text)
    return pods.convert(manifest if "spec" in manifest else {"spec": manifest})


ASKED = [
    Case("a pod that asks for nothing is still a pod", "containers: [{name: a}]", {}),
    Case(
        "app containers are summed",
        """
        containers:
        - {name: a, resources: {requests: {cpu: 100m, memory: 1Gi}}}
        - {name: b, resources: {requests: {cpu: 2, memory: 512Mi}}}
        """,
        {"requests.cpu": 2100, "requests.memory": 3 * 2**29},
    ),
    Case(
        "a limit without a request is a request too",
        "containers: [{name: a, resources: {limits: {cpu: 2, nvidia.com/gpu: 1}}}]",
        {"requests.cpu": 2000, "limits.cpu": 2000, "nvidia.com/gpu": 1, "gpu": 1},
    ),
    Case(
        "a request below its limit stays what it is",
        "containers: [{name: a, resources: {requests: {cpu: 1}, limits: {cpu: 2}}}]",
        {"requests.cpu": 1000, "limits.cpu": 2000},
    ),
    Case(
        "an explicit zero is not filled in from the limit",
        "containers: [{name: a, resources: {requests: {memory: 0}, limits: {memory: 1Gi}}}]",
        {"limits.memory": 2**30},
    ),
    Case(
        "a whole GPU, a MIG slice and a shared replica are a unit each",
        """
        containers:
        - {name: a, resources: {limits: {nvidia.com/gpu: 2, nvidia.com/mig-1g.10gb: 3}}}
        - {name: b, resources: {limits: {nvidia.com/gpu.shared: 1}}}
        """,
        {"nvidia.com/gpu": 2, "nvidia.com/mig-1g.10gb": 3, "nvidia.com/gpu.shared": 1, "gpu": 6},
    ),
    Case(
        "a GPU-like name that nobody knows is never counted as nothing",
        "containers: [{name: a, resources: {limits: {nvidia.com/a100: 2}}}]",
        {"nvidia.com/a100": 2, "gpu": 2},
    ),
    Case(
        "any extended resource is counted under its own name",
        "containers: [{name: a, resources: {limits: {example.com/widget: 3}}}]",
        {"example.com/widget": 3},
    ),
    Case(
        "huge pages and ephemeral storage are counted",
        "containers: [{name: a, resources: {limits: {hugepages-2Mi: 4Mi, ephemeral-storage: 1G}}}]",
        {
            "requests.hugepages-2Mi": 2**22,
            "requests.ephemeral-storage": 10**9,
            "limits.ephemeral-storage": 10**9,
        },
    ),
    Case(
        "a container's own words for labquota's keys mean nothing",
        "containers: [{name: a, resources: {requests: {gpu: 5, pods: 7, requests.cpu: 3}}}]",
        {},
    ),
    Case(
        "an init container counts only where it asks for more than the app",
        """
        initContainers: [{name: i, resources: {requests: {cpu: 3, memory: 1Gi}}}]
        containers: [{name: a, resources: {requests: {cpu: 1, memory: 2Gi}}}]
        """,
        {"requests.cpu": 3000, "requests.memory": 2**31},
    ),
    Case(
        "init containers run one after another",
        """
        initContainers:
        - {name: i, resources: {requests: {cpu: 3}}}
        - {name: j, resources: {requests: {cpu: 2}}}
        containers: [{name: a}]
        """,
        {"requests.cpu": 3000},
    ),
    Case(
        "a sidecar runs beside the app",
        """
        initContainers: [{name: s, restartPolicy: Always, resources: {requests: {cpu: 1}}}]
        containers: [{name: a, resources: {requests: {cpu: 2}}}]
        """,
        {"requests.cpu": 3000},
    ),
    Case(
        "an init container runs beside the sidecars before it, not beside those after it",
        """
        initContainers:
        - {name: s, restartPolicy: Always, resources: {requests: {cpu: 1}}}
        - {name: i, resources: {requests: {cpu: 10}}}
        - {name: t, restartPolicy: Always, resources: {requests: {cpu: 5}}}
        containers: [{name: a, resources: {requests: {cpu: 2}}}]
        """,
        {"requests.cpu": 11_000},
    ),
    Case(
        "overhead is added to requests, and to limits only where there is one",
        """
        overhead: {cpu: 250m, memory: 120Mi}
        containers: [{name: a, resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}}]
        """,
        {"requests.cpu": 1250, "requests.memory": 1144 * 2**20, "limits.memory": 1144 * 2**20},
    ),
    Case(
        "pod-level resources stand in for the sum, for cpu and memory alone",
        """
        resources: {requests: {cpu: 1}, limits: {cpu: 4}}
        containers:
        - {name: a, resources: {requests: {cpu: 2, memory: 1Gi}, limits: {nvidia.com/gpu: 1}}}
        """,
        {"requests.cpu": 1000, "limits.cpu": 4000, "requests.memory": 2**30, "nvidia.com/gpu": 1, "gpu": 1},
    ),
    Case(
        "a pod-level limit without a request is the request, where no container asks",
        "{resources: {limits: {cpu: 4}}, containers: [{name: a}]}",
        {"requests.cpu": 4000, "limits.cpu": 4000},
    ),
    Case(
        "a pod-level limit leaves what the containers ask for",
        "{resources: {limits: {cpu: 4}}, containers: [{name: a, resources: {requests: {cpu: 1}}}]}",
        {"requests.cpu": 1000, "limits.cpu": 4000},
    ),
    Case(
        "a pod-level default is made of the containers' quantities as they were written",
        """
        resources: {limits: {memory: 1Gi}}
        containers:
        - {name: a, resources: {requests: {cpu: 1n}}}
        - {name: b, resources: {requests: {cpu: 1n}}}
        """,
        {"requests.cpu": 1, "requests.memory": 2**30, "limits.memory": 2**30},
    ),
    Case(
        "every quantity is stored in thousandths before it is summed",
        """
        containers:
        - {name: a, resources: {requests: {cpu: 1n, memory: 1n}}}
        - {name: b, resources: {requests: {cpu: 1n, memory: 1n}}}
        """,
        {"requests.cpu": 2, "requests.memory": 1},
    ),
    Case(
        "fractions of a byte are summed before they are rounded up",
        """
        containers:
        - {name: a, resources: {requests: {memory: 400m}}}
        - {name: b, resources: {requests: {memory: 400m}}}
        - {name: c, resources: {requests: {memory: 400m}}}
        """,
        {"requests.memory": 2},
    ),
    Case(
        "amounts saturate, where Kubernetes' numbers wrap around to nothing",
        """
        containers:
        - {name: a, resources: {requests: {cpu: 1e999999999, memory: 8Ei}, limits: {nvidia.com/gpu: 1e30}}}
        - {name: b, resources: {requests: {cpu: 1, memory: 8Ei}, limits: {nvidia.com/gpu: 1}}}
        """,
        {"requests.cpu": MAX, "requests.memory": MAX, "nvidia.com/gpu": MAX, "gpu": MAX},
    ),
    Case(
        "a resize counts as asked even while the node calls it infeasible",
        """
        metadata: {generation: 2}
        spec: {containers: [{name: a, resources: {requests: {cpu: 5}}}]}
        status:
          conditions: [{type: PodResizePending, reason: Infeasible, observedGeneration: 2}]
          containerStatuses: [{name: a, allocatedResources: {cpu: 1}, resources: {requests: {cpu: 1}}}]
        """,
        {"requests.cpu": 5000},
    ),
    Case(
        "a pod asks for its spec however much it still holds",
        """
        spec: {containers: [{name: a, resources: {requests: {cpu: 1}}}]}
        status: {containerStatuses: [{name: a, allocatedResources: {cpu: 4}, resources: {requests: {cpu: 4}}}]}
        """,
        {"requests.cpu": 1000},
    ),
]

HELD = [
    Case(
        "a running pod holds what its spec says when nothing is being resized",
        """
        spec: {containers: [{name: a, resources: {requests: {cpu: 1}, limits: {cpu: 2}}}]}
        status:
          containerStatuses:
          - {name: a, allocatedResources: {cpu: 1}, resources: {requests: {cpu: 1}, limits: {cpu: 2}}}
        """,
        {"requests.cpu": 1000, "limits.cpu": 2000},
    ),
    Case(
        "a shrinking container holds what still runs",
        """
        spec: {containers: [{name: a, resources: {requests: {cpu: 1}, limits: {cpu: 1}}}]}
        status:
          containerStatuses:
          - {name: a, allocatedResources: {cpu: 1}, resources: {requests: {cpu: 4}, limits: {cpu: 6}}}
        """,
        {"requests.cpu": 4000, "limits.cpu": 6000},
    ),
    Case(
        "a growing container holds what it asks for",
        """
        spec: {containers: [{name: a, resources: {requests: {cpu: 4}, limits: {cpu: 6}}}]}
        status:
          containerStatuses:
          - {name: a, allocatedResources: {cpu: 1}, resources: {requests: {cpu: 1}, limits: {cpu: 1}}}
        """,
        {"requests.cpu": 4000, "limits.cpu": 6000},
    ),
    Case(
        "what is allocated counts for requests alone",
        """
        spec: {containers: [{name: a, resources: {requests: {cpu: 1}, limits: {cpu: 2}}}]}
        status:
          containerStatuses:
          - {name: a, allocatedResources: {cpu: 3}, resources: {requests: {cpu: 1}, limits: {cpu: 2}}}
        """,
        {"requests.cpu": 3000, "limits.cpu": 2000},
    ),
    Case(
        "what is allocated does not count before anything runs",
        """
        spec: {containers: [{name: a, resources: {requests: {cpu: 1}}}]}
        status: {containerStatuses: [{name: a, allocatedResources: {cpu: 3}}]}
        """,
        {"requests.cpu": 1000},
    ),
    Case(
        "an infeasible resize is left aside",
        """
        metadata: {generation: 2}
        spec: {containers: [{name: a, resources: {requests: {cpu: 100}}}]}
        status:
          conditions: [{type: PodResizePending, reason: Infeasible, observedGeneration: 2}]
          containerStatuses: [{name: a, allocatedResources: {cpu: 2}, resources: {requests: {cpu: 1}}}]
        """,
        {"requests.cpu": 2000},
    ),
    Case(
        "of an infeasible resize of a whole pod the limit counts where nothing is said to run under another",
        """
        spec: {containers: [], resources: {limits: {cpu: 1}}}
        status: {resources: {}, conditions: [{type: PodResizePending, reason: Infeasible}]}
        """,
        {"limits.cpu": 1000},
    ),
    Case(
        "a resize asked for after the infeasible one counts",
        """
        metadata: {generation: 3}
        spec: {containers: [{name: a, resources: {requests: {cpu: 100}}}]}
        status:
          conditions: [{type: PodResizePending, reason: Infeasible, observedGeneration: 2}]
          containerStatuses: [{name: a, allocatedResources: {cpu: 2}, resources: {requests: {cpu: 1}}}]
        """,
        {"requests.cpu": 100_000},
    ),
    Case(
        "a deferred resize counts",
        """
        metadata: {generation: 2}
        spec: {containers: [{name: a, resources: {requests: {cpu: 100}}}]}
        status:
          conditions: [{type: PodResizePending, reason: Deferred, observedGeneration: 2}]
          containerStatuses: [{name: a, allocatedResources: {cpu: 2}, resources: {requests: {cpu: 1}}}]
        """,
        {"requests.cpu": 100_000},
    ),
    Case(
        "a sidecar is resized like an app container, an ordinary init container is not",
        """
        spec:
          initContainers:
          - {name: s, restartPolicy: Always, resources: {requests: {cpu: 1}}}
          - {name: i, resources: {requests: {cpu: 1}}}
          containers: [{name: a, resources: {requests: {cpu: 1}}}]
        status:
          initContainerStatuses:
          - {name: s, resources: {requests: {cpu: 3}}}
          - {name: i, resources: {requests: {cpu: 50}}}
        """,
        {"requests.cpu": 4000},
    ),
    Case(
        "pod-level resources are resized too",
        """
        spec:
          resources: {requests: {cpu: 1}, limits: {cpu: 2}}
          containers: [{name: a}]
        status: {allocatedResources: {cpu: 3}, resources: {requests: {cpu: 2}, limits: {cpu: 5}}}
        """,
        {"requests.cpu": 3000, "limits.cpu": 5000},
    ),
    Case(
        "an ephemeral container is free",
        """
        spec: {containers: [{name: a}], ephemeralContainers: [{name: e, resources: {requests: {cpu: 1}}}]}
        status: {ephemeralContainerStatuses: [{name: e, resources: {requests: {cpu: 1}}}]}
        """,
        {},
    ),
]


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.sentence)
def test_a_pod_asks(case: Case) -> None:
    assert demand.asked(read(case.pod)) == {"pods": 1, **case.amounts}, case.sentence


@pytest.mark.parametrize("case", HELD, ids=lambda case: case.sentence)
def test_a_pod_holds(case: Case) -> None:
    assert demand.held(read(case.pod)) == {"pods": 1, **case.amounts}, case.sentence


@pytest.mark.parametrize(
    ("phase", "charged"),
    [
        ("", True),
        ("Pending", True),
        ("Running", True),
        ("Unknown", True),
        ("Succeeded", False),
        ("Failed", False),
    ],
)
def test_only_a_finished_pod_is_free(phase: str, charged: bool) -> None:  # noqa: FBT001 - a column of the table
    assert demand.charged(pods.convert({"status": {"phase": phase}})) is charged


ALL = (
    "requests.cpu",
    "limits.cpu",
    "requests.memory",
    "limits.memory",
    "gpu",
    "pods",
    "requests.ephemeral-storage",
)
UNSET: list[tuple[str, str, dict[str, list[str]]]] = [
    (
        "every container that leaves a limited key unset is named, in the pod's order",
        """
        initContainers: [{name: i}]
        containers:
        - {name: b, resources: {requests: {cpu: 1, memory: 1}, limits: {cpu: 1}}}
        - {name: a, resources: {requests: {cpu: 1, memory: 1}, limits: {cpu: 1, memory: 1}}}
        """,
        {"requests.cpu": ["i"], "limits.cpu": ["i"], "requests.memory": ["i"], "limits.memory": ["b", "i"]},
    ),
    (
        "a limit sets the request, and a request sets no limit",
        "containers: [{name: a, resources: {requests: {cpu: 1}, limits: {memory: 1}}}]",
        {"limits.cpu": ["a"]},
    ),
    (
        "an explicit zero is set",
        "containers: [{name: a, resources: {limits: {cpu: 0, memory: 0}}}]",
        {},
    ),
    (
        "a pod with any pod-level resource is free",
        "{resources: {requests: {memory: 1Gi}}, containers: [{name: a}]}",
        {},
    ),
]


@pytest.mark.parametrize(("sentence", "pod", "missing"), UNSET, ids=[sentence for sentence, _, _ in UNSET])
def test_unset(sentence: str, pod: str, missing: dict[str, list[str]]) -> None:
    assert demand.unset(read(pod), ALL) == missing, sentence


SUFFIXES = (
    '{place}: quantity "{text}" ends in "{suffix}": '
    "the suffixes are n u m k M G T P E, Ki Mi Gi Ti Pi Ei, and exponents as in e3"
)


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (
            "containers: [{name: a}, {name: b, resources: {limits: {cpu: '1_0'}}}]",
            'container "b": cpu: quantity "1_0" is not a number with an optional suffix, as in "2", "500m", "1.5Gi"',
        ),
        (
            "initContainers: [{name: i, resources: {requests: {nvidia.com/gpu: -1}}}]",
            'init container "i": nvidia.com/gpu: quantity "-1" is negative: write 0 or more',
        ),
        (
            "resources: {requests: {memory: 1K}}",
            SUFFIXES.format(place="pod-level resources: memory", text="1K", suffix="K"),
        ),
        (
            "overhead: {cpu: ''}",
            'overhead: cpu: quantity "" is not a number with an optional suffix, as in "2", "500m", "1.5Gi"',
        ),
    ],
)
def test_an_unreadable_quantity_is_refused_with_its_place(spec: str, line: str) -> None:
    with pytest.raises(QuantityError) as caught:
        demand.asked(read(spec))
    assert str(caught.value) == line
