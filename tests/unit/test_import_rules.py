"""The rules of the import, case by case: what stands in the older configuration, and what labquota has instead."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

import older_config
from labquota.imports import Unit

ABSENT = object()


class Case(NamedTuple):
    """A sentence, a group's keys (as YAML, on one line each), and fields of its spec."""

    sentence: str
    group: str
    fields: dict[str, Any]
    defaults: str = ""
    unit: Unit | None = None


CASES = [
    Case(
        "the older vintage's gpu_limit counts slots",
        "max_mig_instances: 3\naggregate: {gpu_limit: 3}",
        {"aggregate.gpu": 3},
    ),
    Case(
        "the newer vintage's gpu_limit counts GPU equivalents",
        "max_gpu_equivalents: 2.0\naggregate: {gpu_limit: 2.0}",
        {"aggregate.gpu-equivalents": "2", "aggregate.gpu": ABSENT},
    ),
    Case(
        "the newer per-container key alone tells the newer vintage",
        "max_gpu_slots_per_container: 2\naggregate: {gpu_limit: 0.286}",
        {"aggregate.gpu-equivalents": "0.286", "perPod.gpu": 2},
    ),
    Case(
        "one newer name among older ones tells the newer vintage",
        "max_mig_instances: 2",
        {"aggregate.gpu-equivalents": "2", "aggregate.gpu": ABSENT},
        "max_gpu_slots_per_container: 1",
    ),
    Case(
        "a given unit overrides what the keys' names tell",
        "max_gpu_equivalents: 4.0",
        {"aggregate.gpu": 4, "aggregate.gpu-equivalents": ABSENT},
        unit=Unit.SLOTS,
    ),
    Case(
        "a given unit overrides the older names too",
        "max_mig_instances: 3",
        {"aggregate.gpu-equivalents": "3"},
        unit=Unit.EQUIVALENTS,
    ),
    Case(
        "of two totals per person the smaller holds: the gpu_limit",
        "max_mig_instances: 5\naggregate: {gpu_limit: 3}",
        {"aggregate.gpu": 3},
    ),
    Case(
        "of two totals per person the smaller holds: the other cap",
        "max_mig_instances: 2\naggregate: {gpu_limit: 3}",
        {"aggregate.gpu": 2},
    ),
    Case(
        "an unlimited total beside a limited one gives the limited one",
        "max_mig_instances: null\naggregate: {gpu_limit: 3}",
        {"aggregate.gpu": 3},
    ),
    Case(
        "without an aggregate section the other cap stands alone",
        "max_mig_instances: 4",
        {"aggregate": {"gpu": 4}},
    ),
    Case(
        "without gpu_limit in the section the other cap stands alone",
        "max_mig_instances: 4\naggregate: {memory_max: 8G}",
        {"aggregate.gpu": 4},
    ),
    Case("without aggregate section and caps nothing is limited", "max_cpus: 4", {"aggregate": ABSENT}),
    Case(
        "a section whose keys are all comments is no section",
        "max_mig_instances: null\naggregate:",
        {"aggregate": ABSENT},
    ),
    Case(
        "nothing but unlimited totals without a section is no aggregate",
        "max_mig_instances: null\nmax_containers_per_user: null",
        {"aggregate": ABSENT},
    ),
    Case(
        "a group's value wins over the default, key by key",
        "max_cpus: 48",
        {"perPod.requests.cpu": "48", "perPod.requests.memory": "32Gi"},
        "max_cpus: 32\nmemory: 32g",
    ),
    Case(
        "an older name in the group wins over a newer one in the defaults",
        "max_mig_instances: 2",
        {"aggregate.gpu": 2},
        "max_gpu_slots: 5",
    ),
    Case(
        "inside a section the newest name wins",
        "max_gpu_slots: 5\nmax_gpus_per_user: 4\nmax_mig_instances: 3",
        {"aggregate.gpu": 5},
    ),
    Case(
        "max_gpus_per_user is newer than max_mig_instances",
        "max_mig_instances: 3\nmax_gpus_per_user: 4",
        {"aggregate.gpu": 4},
    ),
    Case("max_mig_per_container is the per-pod layer", "max_mig_per_container: 4", {"perPod.gpu": 4}),
    Case(
        "the newer per-container name wins",
        "max_mig_per_container: 4\nmax_gpu_slots_per_container: 2",
        {"perPod.gpu": 2},
    ),
    Case("whole GPUs are allowed where the key says so", "allow_full_gpu: true", {"allowWholeGPU": True}),
    Case("whole GPUs are not allowed where nothing is said", "max_cpus: 1", {"allowWholeGPU": False}),
    Case("9600% is 96 CPUs", 'aggregate: {cpu_quota: "9600%"}', {"aggregate.requests.cpu": "96"}),
    Case("50% is half a CPU", "aggregate: {cpu_quota: 50%}", {"aggregate.requests.cpu": "500m"}),
    Case("96G is 96Gi", "aggregate: {memory_max: 96G}", {"aggregate.requests.memory": "96Gi"}),
    Case("32g is 32Gi", "memory: 32g", {"perPod.requests.memory": "32Gi"}),
    Case("1.5g is 1536Mi", "memory: 1.5g", {"perPod.requests.memory": "1536Mi"}),
    Case("a memory without a suffix is bytes", "memory: 1000", {"perPod.requests.memory": "1000"}),
    Case("half a CPU is 500m", "max_cpus: 0.5", {"perPod.requests.cpu": "500m"}),
    Case("0 CPUs stay 0", "max_cpus: 0", {"perPod.requests.cpu": "0"}),
    Case("0 GPUs mean none", "aggregate: {gpu_limit: 0}\nmax_mig_instances: 0", {"aggregate.gpu": 0}),
    Case("0 memory stays 0", "memory: 0", {"perPod.requests.memory": "0"}),
    Case(
        "null is unlimited",
        "max_mig_per_container: null\nmax_cpus: ~",
        {"perPod.gpu": "unlimited", "perPod.requests.cpu": "unlimited"},
    ),
    Case(
        "the word unlimited is unlimited",
        'memory: unlimited\naggregate: {cpu_quota: "unlimited"}',
        {"perPod.requests.memory": "unlimited", "aggregate.requests.cpu": "unlimited"},
    ),
    Case("max_containers_per_user limits pods", "max_containers_per_user: 3", {"aggregate.pods": 3}),
    Case(
        "a merge key's values are the section's own",
        "<<: *base\nmemory: 8g",
        {"perPod.requests.cpu": "7", "perPod.requests.memory": "8Gi"},
        "&base\nmax_cpus: 7\nmemory: 16g",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_a_rule_of_the_import(case: Case, tmp_path: Path) -> None:
    spec = older_config.specs(older_config.write(tmp_path, _limits(case)), unit=case.unit)["student"]
    for field, expected in case.fields.items():
        section, _, key = field.partition(".")
        found = spec.get(section, ABSENT)
        if key:
            found = found.get(key, ABSENT) if isinstance(found, dict) else ABSENT
        assert found == expected, field


def _limits(case: Case) -> str:
    anchor, _, defaults = (
        case.defaults.rpartition("&base\n") if "&base" in case.defaults else ("", "", case.defaults)
    )
    lines = [f"defaults:{' &base' if '&base' in case.defaults else ''}{anchor}"]
    lines += [f"  {line}" for line in defaults.splitlines()]
    lines += ["default_group: student", "groups:", "  student:"]
    lines += [f"    {line}" for line in case.group.splitlines()]
    return "\n".join(lines)


def test_the_default_group_is_the_default_for_users_and_no_other_group_is(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path, "default_group: b\ngroups: {a: {max_cpus: 1}, b: {max_cpus: 2}, c: {max_cpus: 3}}\n"
    )
    specs = older_config.specs(folder)
    assert {name: spec.get("defaultFor") for name, spec in specs.items()} == {
        "a": None,
        "b": ["User"],
        "c": None,
    }


def test_members_are_trimmed_unique_and_sorted_from_file_and_list_together(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path,
        "default_group: student\ngroups: {student: {members: [zoe, 0123, alice]}}\n",
        members_student="\ufeff# people\r\n\r\n  bob   # since spring\r\nalice\nbob\n204@uni.example",
    )
    names = ["0123", "204@uni.example", "alice", "bob", "zoe"]
    assert older_config.specs(folder)["student"]["subjects"] == [
        {"kind": "User", "name": name} for name in names
    ]
    assert older_config.warnings(folder) == [
        "groups/student.members:4: user alice is in group student twice, first in resource-limits.yaml:2",
        "groups/student.members:5: user bob is in group student twice, first in groups/student.members:3",
    ]


def test_a_group_with_more_members_than_one_object_takes_comes_in_parts(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path, members_student="\n".join(f"user{number}" for number in range(1001))
    )
    specs = older_config.specs(folder)
    assert {name: len(spec["subjects"]) for name, spec in specs.items()} == {
        "student": 1000,
        "student-part-2": 1,
    }
    assert specs["student"]["defaultFor"] == ["User"]
    assert "defaultFor" not in specs["student-part-2"]
    assert specs["student"]["aggregate"] == specs["student-part-2"]["aggregate"] == {"gpu": 3}
