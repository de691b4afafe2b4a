"""What is wrong with a configuration is said in full in one run, with file, line and key, and nothing comes out."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

import older_config
from labquota import imports

RESOURCES = "resource-limits.yaml"
NOT_A_NUMBER = " is not a plain number such as 3 or 0.5, and not null"
NOT_A_NAME = " is not a valid user name: letters, digits and . _ @ + - are allowed, no space"
PERHAPS = "; if it counts GPU equivalents, add --gpu-limit-unit equivalents"
IGNORED = " (--allow-unknown ignores it)"


class Bad(NamedTuple):
    """A sentence, keys of a group (or the whole file where it says so), and the lines that are due."""

    sentence: str
    group: str
    lines: list[str]


VALUES = [
    Bad(
        "negative",
        "max_cpus: -3",
        ["4: groups.student.max_cpus: -3 is negative: write 0 or more, or null for unlimited"],
    ),
    Bad(
        "negative memory",
        "memory: -1g",
        ["4: groups.student.memory: -1g is negative: write 0 or more, or null for unlimited"],
    ),
    Bad(
        "a word for a number",
        "max_mig_instances: many",
        [f'4: groups.student.max_mig_instances: "many"{NOT_A_NUMBER}'],
    ),
    Bad(
        "true for a number",
        "max_mig_instances: true",
        [f'4: groups.student.max_mig_instances: "true"{NOT_A_NUMBER}'],
    ),
    Bad(
        "not a number",
        "max_cpus: .nan",
        [f'4: groups.student.max_cpus: ".nan"{NOT_A_NUMBER}'],
    ),
    Bad(
        "an octal number",
        "max_cpus: 010",
        [f'4: groups.student.max_cpus: "010"{NOT_A_NUMBER}'],
    ),
    Bad(
        "a huge exponent",
        "max_cpus: 1e999999999",
        [f'4: groups.student.max_cpus: "1e999999999"{NOT_A_NUMBER}'],
    ),
    Bad(
        "part of a container",
        "max_containers_per_user: 2.5",
        ["4: groups.student.max_containers_per_user: 2.5 is not a whole number"],
    ),
    Bad(
        "part of a slot",
        "max_mig_instances: 0.5",
        [f"4: groups.student.max_mig_instances: 0.5 is not a whole number of slots{PERHAPS}"],
    ),
    Bad(
        "a CPU quota without %",
        "aggregate:\n  cpu_quota: 9600",
        ['5: groups.student.aggregate.cpu_quota: "9600" is not of the form "9600%", where 100% is one CPU'],
    ),
    Bad(
        "a tiny CPU",
        "max_cpus: 0.0001",
        ["4: groups.student.max_cpus: 0.0001 is finer than a thousandth of a CPU"],
    ),
    Bad(
        "memory with another suffix",
        "memory: 32x",
        ['4: groups.student.memory: "32x" is not an amount of memory such as 32g or 512M'],
    ),
    Bad(
        "more memory than there is",
        "memory: 99999999e",
        ["4: groups.student.memory: 99999999e is more memory than can be counted"],
    ),
    Bad(
        "a list for a number",
        "max_cpus: [1]",
        ["4: groups.student.max_cpus: a list where a single value is due"],
    ),
    Bad(
        "a list for a section",
        "aggregate:\n  - gpu_limit: 3",
        ["4: groups.student.aggregate: a list where a map (key: value) is due"],
    ),
    Bad(
        "a word for a flag",
        "allow_full_gpu: maybe",
        ['4: groups.student.allow_full_gpu: "maybe" where true or false is due'],
    ),
    Bad("a map for members", "members: {alice: 1}", ["4: groups.student.members: a map where a list is due"]),
    Bad(
        "a bad name in members",
        "members:\n- alice\n- b b",
        [f'6: groups.student.members: "b b"{NOT_A_NAME}'],
    ),
    Bad(
        "a misspelt key",
        "max_cpu: 3",
        [f"4: groups.student.max_cpu: unknown key; did you mean max_cpus?{IGNORED}"],
    ),
    Bad(
        "a misspelt key inside",
        "aggregate: {gpu_limits: 3}",
        [f"4: groups.student.aggregate.gpu_limits: unknown key; did you mean aggregate.gpu_limit?{IGNORED}"],
    ),
    Bad(
        "a key with a dot",
        "aggregate.gpu_limit: 3",
        [f"4: groups.student.aggregate.gpu_limit: unknown key{IGNORED}"],
    ),
    Bad(
        "a key twice",
        "max_cpus: 3\nmemory: 1g\nmax_cpus: 4",
        ["6: groups.student.max_cpus: stands here twice, first in line 4"],
    ),
    Bad("a list as a key", "? [a]\n: 1", ["4: groups.student: a list as a key"]),
    Bad(
        "two at once",
        "max_cpus: -1\nmemory: x",
        [
            "4: groups.student.max_cpus: -1 is negative: write 0 or more, or null for unlimited",
            '5: groups.student.memory: "x" is not an amount of memory such as 32g or 512M',
        ],
    ),
]


@pytest.mark.parametrize("bad", VALUES, ids=lambda bad: bad.sentence)
def test_a_bad_value_is_named_with_file_line_and_key(bad: Bad, tmp_path: Path) -> None:
    lines = [
        "default_group: student",
        "groups:",
        "  student:",
        *(f"    {line}" for line in bad.group.split("\n")),
    ]
    folder = older_config.write(tmp_path, "\n".join(lines))
    assert older_config.problems(folder) == [f"{RESOURCES}:{line}" for line in bad.lines]


FILES = [
    Bad(
        "broken YAML",
        "groups:\n  student: [\n",
        ["3: broken YAML: expected the node content, but found '<stream end>'"],
    ),
    Bad(
        "a tab as indentation",
        "groups:\n\tstudent: 1\n",
        ["2: broken YAML: found character '\\t' that cannot start any token"],
    ),
    Bad(
        "a control character",
        "groups:\n  a\x07b: 1\n",
        ["2: broken YAML: a character that YAML does not allow"],
    ),
    Bad("nesting without end", "groups: " + "[" * 5000, ["1: broken YAML: nested too deeply"]),
    Bad(
        "a second document",
        "default_group: a\ngroups: {a: }\n---\nb: 1\n",
        ["4: a second YAML document: one is due; delete the line ---"],
    ),
    Bad(
        "an undefined default group",
        "default_group: studnet\ngroups: {student: }\n",
        ["1: default_group: group studnet is not defined under groups; did you mean student?"],
    ),
    Bad(
        "an unknown section",
        "default_group: a\ngroups: {a: }\ncolours: {x: 1}\n",
        [f"3: colours: unknown key{IGNORED}"],
    ),
    Bad(
        "a group that cannot name an object",
        "default_group: A_b\ngroups: {A_b: }\n",
        ['2: groups.A_b: group name "A_b" cannot name a Kubernetes object: use a-z, 0-9, - and .'],
    ),
    Bad(
        "a map that merges itself",
        "default_group: a\ngroups:\n  a: &a\n    <<: *a\n",
        ["3: groups.a: merges (<<) itself"],
    ),
    Bad(
        "an enforcement that is neither",
        "default_group: a\ngroups: {a: }\nenforcement: {aggregate_limits: 7}\n",
        ['3: enforcement.aggregate_limits: the single value "7" where true or false is due'],
    ),
]


@pytest.mark.parametrize("bad", FILES, ids=lambda bad: bad.sentence)
def test_a_bad_file_is_named_with_its_line(bad: Bad, tmp_path: Path) -> None:
    folder = older_config.write(tmp_path, bad.group)
    assert older_config.problems(folder) == [f"{RESOURCES}:{line}" for line in bad.lines]


def test_a_file_that_is_a_list_says_so_and_that_no_group_is_defined(tmp_path: Path) -> None:
    assert older_config.problems(older_config.write(tmp_path, "- groups\n")) == [
        f"{RESOURCES}: groups: defines no group: nothing to import",
        f"{RESOURCES}:1: a list where a map (key: value) is due",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "groups:\n", "---\n"])
def test_an_empty_configuration_is_a_problem(text: str, tmp_path: Path) -> None:
    folder = older_config.write(tmp_path, text)
    assert older_config.problems(folder) == [f"{RESOURCES}: groups: defines no group: nothing to import"]


def test_a_missing_configuration_is_a_problem(tmp_path: Path) -> None:
    assert older_config.problems(tmp_path) == [f"{RESOURCES}: is missing: name the folder that holds it"]


OTHERS: list[tuple[str, dict[str, str], list[str]]] = [
    (
        "a member file for an undefined group",
        {"members_ghosts": "\n\ncasper"},
        ["groups/ghosts.members:1: group ghosts is not defined: define it under groups or remove the file"],
    ),
    (
        "a user in two groups",
        {"members_student": "alice\nbob", "members_staff": "# x\nbob"},
        [
            "groups/student.members:2: user bob is in two groups, staff (groups/staff.members:2) and student: keep one"
        ],
    ),
    (
        "a bad user name in a member file",
        {"members_student": "alice\nbo b"},
        [f'groups/student.members:2: "bo b"{NOT_A_NAME}'],
    ),
    (
        "a bad user name in the overrides",
        {"user_overrides": '"a:b": {max_cpus: 1}'},
        [f'user-overrides.yaml:1: a:b: "a:b"{NOT_A_NAME}'],
    ),
    (
        "an unknown key in the overrides",
        {"user_overrides": "alice:\n  max_gpuz: 1"},
        [f"user-overrides.yaml:2: alice.max_gpuz: unknown key; did you mean max_cpus?{IGNORED}"],
    ),
    (
        "a bad value in the overrides",
        {"user_overrides": "alice:\n  memory: 1x"},
        ['user-overrides.yaml:2: alice.memory: "1x" is not an amount of memory such as 32g or 512M'],
    ),
    (
        "a list for an override",
        {"user_overrides": "alice:\n  - max_cpus"},
        ["user-overrides.yaml:1: alice: a list where a map (key: value) is due"],
    ),
    (
        "a reason that is a list",
        {"user_overrides": "alice: {reason: [a]}"},
        ["user-overrides.yaml:1: alice.reason: a list where a text is due"],
    ),
    (
        "broken YAML in the overrides",
        {"user_overrides": "alice: {"},
        ["user-overrides.yaml:1: broken YAML: expected the node content, but found '<stream end>'"],
    ),
    (
        "an unknown group in the group overrides",
        {"group_overrides": "# x\nalice:ghosts"},
        ["group-overrides.txt:2: alice: group ghosts is not defined"],
    ),
    (
        "a line that is no group override",
        {"group_overrides": "alice student"},
        ['group-overrides.txt:1: "alice student" is not of the form user:group'],
    ),
    (
        "broken exemptions",
        {"lifecycle_exemptions": "exemptions: {a: 1}"},
        ["lifecycle-exemptions.yaml:1: exemptions: a map where a list is due"],
    ),
]


@pytest.mark.parametrize(
    ("sentence", "files", "lines"), OTHERS, ids=lambda each: each if isinstance(each, str) else ""
)
def test_the_other_files_are_checked_too(
    sentence: str, files: dict[str, str], lines: list[str], tmp_path: Path
) -> None:
    folder = older_config.write(
        tmp_path, older_config.ONE_GROUP + "  staff: {max_mig_instances: 4}\n", **files
    )
    assert older_config.problems(folder) == lines, sentence


def test_every_problem_of_every_file_comes_in_one_run(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path,
        "default_group: studnet\ngroups:\n  student:\n    max_cpus: -1\n    colour: red\n",
        members_student="a b",
        members_ghosts="casper",
        user_overrides="alice: {memory: x}",
        group_overrides="alice:ghosts",
    )
    assert [line.split(": ")[0] for line in older_config.problems(folder)] == [
        "group-overrides.txt:1",
        "groups/ghosts.members:1",
        "groups/student.members:1",
        "resource-limits.yaml:1",
        "resource-limits.yaml:4",
        "resource-limits.yaml:5",
        "user-overrides.yaml:1",
    ]


def test_an_unreadable_first_file_hides_no_problem_of_the_others_and_invents_none(tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path,
        "groups: [",
        members_student="alice\nb b",
        user_overrides="alice: {max_gpu_equivalents: 0.5, x: 1}",
    )
    assert [line.split(": ")[0] for line in older_config.problems(folder)] == [
        "groups/student.members:2",
        "resource-limits.yaml:1",
        "user-overrides.yaml:1",
    ]


def test_a_file_that_is_not_utf_8_is_named_with_the_line(tmp_path: Path) -> None:
    folder = older_config.write(tmp_path)
    (folder / "groups" / "student.members").write_bytes(b"alice\nb\xe4rbel\n")
    assert older_config.problems(folder) == [
        "groups/student.members:2: a byte that is not UTF-8: save the file as UTF-8"
    ]


def test_a_folder_in_place_of_a_file_and_a_huge_file_are_problems(tmp_path: Path) -> None:
    folder = older_config.write(tmp_path, members_student="#" * (1 << 20) + "\n")
    (folder / "user-overrides.yaml").mkdir()
    assert older_config.problems(folder) == [
        "groups/student.members: is larger than 1 MiB: no configuration is",
        "user-overrides.yaml: is not a file",
    ]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("merge", [False, True], ids=["aliases", "merges"])
def test_a_file_that_grows_without_end_is_read_at_once(merge: bool, tmp_path: Path) -> None:  # noqa: FBT001
    lines = ["default_group: student", "x0: &x0 {max_cpus: 1}"]
    for level in range(1, 30):
        before = ", ".join([f"*x{level - 1}"] * 9)
        lines.append(
            f"x{level}: &x{level} {{<<: [{before}]}}" if merge else f"x{level}: &x{level} [{before}]"
        )
    lines += ["groups:", f"  student: {{<<: *x29}}" if merge else "  student: {max_cpus: 1}"]  # noqa: F541
    folder = older_config.write(tmp_path, "\n".join(lines))
    assert older_config.specs(folder, allow_unknown=True)["student"]["perPod"] == {"requests.cpu": "1"}


def test_allow_unknown_makes_an_unknown_key_a_warning(tmp_path: Path) -> None:
    folder = older_config.write(tmp_path, older_config.ONE_GROUP + "    max_cpu: 3\ncolours: 1\n")
    options: dict[str, Any] = {"allow_unknown": True}
    assert older_config.warnings(folder, **options) == [
        "resource-limits.yaml:5: groups.student.max_cpu: unknown key, ignored; did you mean max_cpus?",
        "resource-limits.yaml:6: colours: unknown key, ignored",
    ]
    assert older_config.specs(folder, **options)["student"]["aggregate"] == {"gpu": 3}


def test_a_place_reads_as_editors_write_it() -> None:
    assert str(imports.Where("a.yaml", 3, "groups.student")) == "a.yaml:3: groups.student"
