"""Whole folders: the seeds of the four groups, a configuration of the newer vintage, and `load`."""

from pathlib import Path

import pytest
import yaml

import older_config
from labquota import imports

ROOT = Path(__file__).parents[2]
NEWER = Path(__file__).parent / "newer_vintage"
SAMPLES = ROOT / "config" / "samples" / "groups.yaml"


def test_the_samples_are_what_the_seeds_give() -> None:
    written = SAMPLES.read_text("utf-8").partition("\n")[2]
    due = imports.dump(imports.convert(ROOT / "config").manifests)
    assert written == due, "stale: run `labquota import config > config/samples/groups.yaml`"


def test_the_seeds_say_what_the_four_groups_are() -> None:
    converted = imports.convert(ROOT / "config")
    assert converted.findings.problems == []
    assert list(converted.findings.report()) == []
    specs = older_config.specs(ROOT / "config")
    assert {name: spec.get("aggregate", {}).get("gpu") for name, spec in specs.items()} == {
        "student": 3,
        "researcher": 6,
        "faculty": 8,
        "admin": None,
    }
    assert {name: spec["perPod"]["gpu"] for name, spec in specs.items()} == {
        "student": 3,
        "researcher": 4,
        "faculty": 4,
        "admin": "unlimited",
    }
    assert "aggregate" not in specs["admin"]
    assert [name for name, spec in specs.items() if "defaultFor" in spec] == ["student"]
    assert all("subjects" not in spec for spec in specs.values())


def test_the_seeds_have_the_older_cap_beside_the_limit() -> None:
    groups = yaml.safe_load((ROOT / "config" / "resource-limits.yaml").read_text("utf-8"))["groups"]
    for name in ("student", "researcher", "faculty"):
        assert groups[name]["max_mig_instances"] == groups[name]["aggregate"]["gpu_limit"]
    assert "aggregate" not in groups["admin"]


def test_a_configuration_of_the_newer_vintage_is_imported_whole() -> None:
    converted = imports.convert(NEWER)
    assert converted.unit is imports.Unit.EQUIVALENTS
    specs = older_config.specs(NEWER)
    assert specs["thesis"] == {
        "subjects": [{"kind": "User", "name": "123456@uni.example"}, {"kind": "User", "name": "rosa"}],
        "aggregate": {
            "gpu-equivalents": "1.5",
            "requests.cpu": "48500m",
            "requests.memory": "96Gi",
            "pods": 4,
        },
        "perPod": {"gpu": 2, "requests.cpu": "12500m", "requests.memory": "1536Mi"},
        "allowWholeGPU": True,
    }
    assert specs["staff"]["aggregate"] == {"gpu-equivalents": "3", "pods": 6}
    assert "aggregate" not in specs["operators"]
    assert older_config.specs(NEWER, "ResourceLimitOverride").keys() == {"rosa", "sven"}


def test_every_section_of_the_newer_vintage_is_imported_or_listed() -> None:
    lines = older_config.report(NEWER)
    later, never = lines.index("Not imported yet:"), lines.index("Never imported:")
    readings = next(number for number, line in enumerate(lines) if line.startswith("The two readings"))
    assert [line.split(" (")[0].strip() for line in lines[later + 1 : never]] == [
        "container_hold_after_stop_h",
        "container_types",
        "gpu_hold_after_stop_h",
        "idle_timeout_h",
        "lifecycle exemption of rosa",
        "max_runtime_h",
        "policies",
    ]
    assert [line.split(" (")[0].strip() for line in lines[never + 1 : readings]] == [
        "access_control",
        "bare_metal_access",
        "enforcement.cgroup_driver",
        "max_tasks",
        "memory_high",
        "memory_swap",
        "monitoring",
        "pids_limit",
        "shm_size",
        "tasks_max",
    ]


def test_the_same_files_give_the_same_text() -> None:
    first, second = (imports.dump(imports.convert(NEWER).manifests) for _ in range(2))
    assert first == second
    names = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(first)]
    assert names == sorted(names)


def test_load_reads_the_older_folder_and_its_own_manifests_alike(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "limits.yml").write_text(imports.dump(imports.convert(NEWER).manifests), "utf-8")
    (tmp_path / "other.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "utf-8")
    older, own, one = (
        imports.load(NEWER),
        imports.load(tmp_path),
        imports.load(tmp_path / "deep" / "limits.yml"),
    )
    assert (older.groups, older.overrides) == (own.groups, own.overrides) == (one.groups, one.overrides)
    assert [group.metadata.name for group in older.groups] == ["course", "operators", "staff", "thesis"]
    assert [override.spec.owner for override in older.overrides] == ["user:rosa", "user:sven"]
    assert len(older.warnings) == 2


def test_load_reads_a_list_and_times(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(
        """\
apiVersion: v1
kind: List
items:
- apiVersion: labquota.dev/v1alpha1
  kind: ResourceLimitGroup
  metadata: {name: student}
  spec: {aggregate: {gpu: 3, requests.cpu: 1.5}}
- apiVersion: labquota.dev/v1alpha1
  kind: ResourceLimitOverride
  metadata: {name: alice}
  spec: {owner: "user:alice", expiresAt: 2026-03-31T18:00:00Z}
""",
        "utf-8",
    )
    with pytest.raises(imports.LoadError) as error:
        imports.load(tmp_path)
    assert error.value.problems == [
        f"{tmp_path}/all.yaml:1: ResourceLimitGroup: Expected `int | str`, got `float` - at `$.spec.aggregate[...]`"
    ]
    text = (tmp_path / "all.yaml").read_text("utf-8").replace("1.5", "'1.5'")
    (tmp_path / "all.yaml").write_text(text, "utf-8")
    expires = imports.load(tmp_path).overrides[0].spec.expires_at
    assert expires is not None
    assert expires.isoformat() == "2026-03-31T18:00:00+00:00"


LOAD_PROBLEMS = [
    ("nothing", {}, ": holds neither resource-limits.yaml nor a manifest of a ResourceLimitGroup"),
    (
        "a bad older folder",
        {"resource-limits.yaml": "groups: []"},
        "/resource-limits.yaml:1: groups: a list where a map (key: value) is due",
    ),
    (
        "broken YAML",
        {"a.yaml": "a: ["},
        "/a.yaml:1: broken YAML: expected the node content, but found '<stream end>'",
    ),
    (
        "a bad quantity",
        {
            "a.yaml": "apiVersion: labquota.dev/v1alpha1\nkind: ResourceLimitGroup\n"
            "metadata: {name: a}\nspec: {aggregate: {gpu: x}}"
        },
        "/a.yaml:1: ResourceLimitGroup/a: spec.aggregate[gpu]: ",
    ),
]


@pytest.mark.parametrize(
    ("sentence", "files", "line"), LOAD_PROBLEMS, ids=[each[0] for each in LOAD_PROBLEMS]
)
def test_load_says_what_is_wrong_and_where(
    sentence: str, files: dict[str, str], line: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(imports.LoadError) as error:
        imports.load(tmp_path)
    assert str(error.value).replace(str(tmp_path), "").startswith(line) or f"\n{line}" in str(
        error.value
    ).replace(str(tmp_path), ""), sentence


@pytest.mark.timeout(20)
def test_load_reads_a_manifest_that_grows_without_end_at_once(tmp_path: Path) -> None:
    lines = ["x0: &x0 [1]"]
    lines += [f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 9)}]" for level in range(1, 30)]
    (tmp_path / "a.yaml").write_text("\n".join(lines), "utf-8")
    with pytest.raises(imports.LoadError, match=r"a\.yaml:\d+: x\d+: too deep or too large for a manifest"):
        imports.load(tmp_path)


@pytest.mark.parametrize(
    ("limits", "section", "number"),
    [
        (
            {"gpu": 3, "requests.cpu": 96_000, "requests.memory": 96 << 30, "pods": 3},
            {"cpu_quota": "9600%", "memory_max": "96G", "gpu_limit": 3},
            "3",
        ),
        ({"gpu-equivalents": 112}, {"gpu_limit": 2.0}, "2.0"),
        ({"gpu-equivalents": 16}, {"gpu_limit": 0.286}, "0.286"),
        ({"gpu": 0}, {"gpu_limit": 0}, "0"),
        ({"requests.cpu": 12_345, "gpu": None}, {"cpu_quota": "1234.5%", "gpu_limit": None}, "unlimited"),
        ({"requests.memory": 1000}, {"memory_max": "1000", "gpu_limit": None}, "unlimited"),
        ({"pods": 10, "gpu": None}, None, "unlimited"),
        ({}, None, "unlimited"),
    ],
)
def test_limits_read_as_the_older_systems_aggregate_section(
    limits: dict[str, int | None], section: dict[str, object] | None, number: str
) -> None:
    assert imports.aggregate_section(limits) == section
    assert imports.aggregate_gpu_limit(limits) == number
