"""What the import prints is accepted by a real API server, strict about fields, whatever configuration it came from."""

from pathlib import Path

import pytest

import older_config
from cluster.schema_objects import Resources
from controlplane import ControlPlane
from labquota import imports

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def resources(control_plane: ControlPlane) -> Resources:
    return Resources(control_plane)


@pytest.mark.parametrize("semantics", list(imports.Semantics))
@pytest.mark.parametrize(
    "folder", [TESTS.parent / "config", TESTS / "unit" / "newer_vintage"], ids=lambda path: path.name
)
def test_an_imported_configuration_can_be_applied(
    resources: Resources, folder: Path, semantics: imports.Semantics
) -> None:
    for manifest in imports.convert(folder, imports.Options(semantics=semantics)).manifests:
        status, answer = resources.dry_run(manifest)
        assert status == 201, answer["message"]


def test_the_edges_of_what_can_be_imported_can_be_applied(resources: Resources, tmp_path: Path) -> None:
    folder = older_config.write(
        tmp_path,
        """\
        default_group: student
        groups:
          student:
            max_gpu_equivalents: 123456789012345678.123456789012
            max_cpus: 0.001
            memory: 0.5k
            max_containers_per_user: 0
            aggregate: {cpu_quota: "0.1%", memory_max: 7.99e, gpu_limit: null}
        """,
        members_student="\n".join(f"Some.Body+{number}@uni.example" for number in range(1001)),
        user_overrides=f"Some.Body+1@uni.example: {{memory: null, reason: '{'x' * 1024}', approved_by: '{'y' * 256}'}}",
    )
    manifests = imports.convert(folder).manifests
    assert len(manifests) == 3
    for manifest in manifests:
        status, answer = resources.dry_run(manifest)
        assert status == 201, answer["message"]
