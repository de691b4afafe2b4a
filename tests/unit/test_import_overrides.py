"""Users' overrides under both readings, and everything else that the report tells."""

from pathlib import Path

import pytest

import older_config
from labquota.imports import Semantics
from labquota.quota import owners

TWO_GROUPS = """\
defaults:
  max_cpus: 16
  memory: 32g
default_group: student
groups:
  student:
    max_mig_instances: 3
    aggregate:
      gpu_limit: 3
      cpu_quota: "9600%"
  staff:
    max_cpus: 64
    max_mig_instances: 8
    allow_full_gpu: true
"""


def overrides(folder: Path, semantics: Semantics = Semantics.DOCUMENTED) -> dict[str, object]:
    return dict(older_config.specs(folder, "ResourceLimitOverride", semantics=semantics))


def test_an_override_holds_what_it_touches_and_names_its_user_exactly(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path,
        TWO_GROUPS,
        members_staff="Zoe.X@uni.example",
        user_overrides="""\
            Zoe.X@uni.example:
              max_cpus: 128
              allow_full_gpu: false
              reason: a large simulation
              approved_by: paula
            alice:
              aggregate: {memory_max: 8G}
            """,
    )
    assert overrides(folder) == {
        "alice": {"owner": "user:alice", "aggregate": {"requests.memory": "8Gi"}},
        owners.object_name(owners.parse("user:Zoe.X@uni.example")): {
            "owner": "user:Zoe.X@uni.example",
            "perPod": {"requests.cpu": "128"},
            "allowWholeGPU": False,
            "reason": "a large simulation",
            "approvedBy": "paula",
        },
    }


def test_an_override_under_the_other_total_changes_nothing_and_says_so(tmp_path: Path) -> None:
    folder = older_config.write(tmp_path, TWO_GROUPS, user_overrides="alice:\n  max_mig_instances: 6")
    assert overrides(folder) == {"alice": {"owner": "user:alice", "aggregate": {"gpu": 3}}}
    assert older_config.warnings(folder) == [
        (
            "user-overrides.yaml:2: alice.max_mig_instances: user alice: 6 here and 3 in "
            "resource-limits.yaml:9: groups.student.aggregate.gpu_limit are both a total per person; "
            "the smaller, 3, is imported"
        )
    ]


def test_an_override_of_both_totals_lifts_the_group(tmp_path: Path) -> None:
    text = "alice: {max_mig_instances: 6, aggregate: {gpu_limit: 6}}"
    folder = older_config.write(tmp_path, TWO_GROUPS, user_overrides=text)
    assert overrides(folder) == {"alice": {"owner": "user:alice", "aggregate": {"gpu": 6}}}
    assert older_config.warnings(folder) == []


def test_an_override_of_nothing_that_labquota_limits_is_only_reported(tmp_path: Path) -> None:
    folder = older_config.write(tmp_path, TWO_GROUPS, user_overrides="alice:\n  idle_timeout_h: null\nbob:\n")
    assert overrides(folder) == {}
    assert older_config.report(folder)[:2] == [
        "Not imported yet:",
        "  idle_timeout_h (user-overrides.yaml:2)",
    ]


def test_the_file_of_overrides_wins_over_the_section_and_may_repeat_its_name(tmp_path: Path) -> None:
    limits = TWO_GROUPS + "user_overrides:\n  alice: {max_cpus: 1}\n  bob: {max_cpus: 2}\n"
    folder = older_config.write(tmp_path, limits, user_overrides="user_overrides:\n  alice: {memory: 1g}\n")
    assert overrides(folder) == {
        "alice": {"owner": "user:alice", "perPod": {"requests.memory": "1Gi"}},
        "bob": {"owner": "user:bob", "perPod": {"requests.cpu": "2"}},
    }


def test_the_codes_reading_forgets_the_group_and_lifts_all_that_any_group_limits(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path, TWO_GROUPS, members_staff="alice", user_overrides="alice:\n  max_mig_instances: 2"
    )
    assert overrides(folder, Semantics.CODE) == {
        "alice": {
            "owner": "user:alice",
            "aggregate": {"gpu": 2, "requests.cpu": "unlimited"},
            "perPod": {"requests.cpu": "16", "requests.memory": "32Gi"},
            "allowWholeGPU": False,
        }
    }


def test_the_report_names_every_user_for_whom_the_readings_differ_key_by_key(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path,
        TWO_GROUPS,
        members_staff="alice",
        user_overrides="alice:\n  max_mig_instances: 2\nbob:\n  memory: 1g",
    )
    assert older_config.report(folder) == [
        (
            "The two readings of user overrides differ for 2 users. "
            "This import follows: documented (--override-semantics code gives the other)."
        ),
        "  documented: user over group over defaults; code: user over defaults, the group is forgotten",
        "  alice (group staff), user-overrides.yaml:1",
        "    perPod.requests.cpu: documented 64, code 16",
        "    allowWholeGPU: documented true, code false",
        "  bob (group student), user-overrides.yaml:3",
        "    aggregate.gpu: documented 3, code unlimited",
        "    aggregate.requests.cpu: documented 96, code unlimited",
    ]
    assert (
        "This import follows: code (--override-semantics documented"
        in older_config.report(folder, semantics=Semantics.CODE)[0]
    )


def test_readings_that_agree_are_not_mentioned(tmp_path: Path) -> None:
    limits = "default_group: student\ngroups: {student: {max_mig_instances: 3}}\n"
    folder = older_config.write(tmp_path, limits, user_overrides="alice: {max_mig_instances: 4}")
    assert older_config.report(folder) == []
    assert overrides(folder) == {"alice": {"owner": "user:alice", "aggregate": {"gpu": 4}}}


def test_a_user_without_a_group_gets_the_defaults_with_the_override(tmp_path: Path) -> None:
    limits = "defaults: {max_cpus: 16}\ngroups: {staff: {max_cpus: 64}}\n"
    folder = older_config.write(tmp_path, limits, user_overrides="alice: {memory: 1g}")
    assert overrides(folder) == {
        "alice": {
            "owner": "user:alice",
            "perPod": {"requests.cpu": "16", "requests.memory": "1Gi"},
            "allowWholeGPU": False,
        }
    }
    assert older_config.warnings(folder) == [
        "resource-limits.yaml: default_group: is not set: people who are in no group will not be limited"
    ]


def test_group_overrides_are_compared_with_the_members_and_the_members_count(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path,
        TWO_GROUPS,
        members_staff="alice\nbob",
        group_overrides="# user:group\nalice:staff\nbob : student  # was moved\ncarol:staff",
    )
    assert older_config.warnings(folder) == [
        "group-overrides.txt:3: bob: says student, but bob is a member of staff: the member lists count",
        "group-overrides.txt:4: carol: says staff, but carol is a member of no group: the member lists count",
    ]
    assert [each["name"] for each in older_config.specs(folder)["staff"]["subjects"]] == ["alice", "bob"]


WARNED = [
    (
        "two totals that differ",
        "max_mig_instances: 5\naggregate: {gpu_limit: 3}",
        [
            (
                "4: groups.student.max_mig_instances: group student: 5 here and 3 in resource-limits.yaml:5: "
                "groups.student.aggregate.gpu_limit are both a total per person; the smaller, 3, is imported"
            )
        ],
    ),
    (
        "an unlimited total beside a limited one",
        "max_mig_instances: null\naggregate: {gpu_limit: 3}",
        [
            (
                "4: groups.student.max_mig_instances: group student: unlimited here and 3 in resource-limits.yaml:5: "
                "groups.student.aggregate.gpu_limit are both a total per person; the smaller, 3, is imported"
            )
        ],
    ),
    (
        "two names of one limit",
        "max_mig_instances: 5\nmax_gpu_slots: 3",
        [
            "4: groups.student.max_mig_instances: ignored: max_gpu_slots in line 5 is the newer name of the same limit"
        ],
    ),
    (
        "names of both vintages",
        "max_gpu_equivalents: 2\nmax_mig_per_container: 3",
        [
            (
                "5: groups.student.max_mig_per_container: an older name in a configuration that also has "
                "groups.student.max_gpu_equivalents: its number is read as GPU equivalents "
                "(--gpu-limit-unit slots reads all as slots)"
            )
        ],
    ),
    (
        "no name that tells the vintage",
        "aggregate: {gpu_limit: 2}",
        [
            (
                "4: groups.student.aggregate.gpu_limit: no key's name tells whether this counts "
                "slots or GPU equivalents: read as slots (--gpu-limit-unit equivalents reads it as the other)"
            )
        ],
    ),
    (
        "a key without a value",
        "max_cpus:",
        ["4: groups.student.max_cpus: has no value, which means unlimited: write max_cpus: null if it is"],
    ),
]


@pytest.mark.parametrize(("sentence", "group", "lines"), WARNED, ids=[each[0] for each in WARNED])
def test_a_warning_names_its_place(sentence: str, group: str, lines: list[str], tmp_path: Path) -> None:
    keys = "\n".join(f"    {line}" for line in group.split("\n"))
    folder = older_config.write(tmp_path, f"default_group: student\ngroups:\n  student:\n{keys}\n")
    assert older_config.warnings(folder) == [f"resource-limits.yaml:{line}" for line in lines], sentence


def test_aggregates_that_were_never_enforced_are_a_warning(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path, older_config.ONE_GROUP + "enforcement:\n  aggregate_limits: false\n"
    )
    assert older_config.warnings(folder) == [
        (
            "resource-limits.yaml:6: enforcement.aggregate_limits: the older system did not enforce its aggregate "
            "sections; labquota will, unless a group says spec.enforcement: Warn or Off"
        )
    ]


def test_people_who_left_are_not_a_group(tmp_path: Path) -> None:
    folder = older_config.write(tmp_path, members_archived="dave")
    assert older_config.report(folder) == [
        "Never imported:",
        "  archived.members (groups/archived.members:1): people who left have no pods to limit",
    ]
