"""`labquota policies`: everything that the owners' settings ask for, in one piece that kubectl can apply."""

import base64
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from labquota.cli.main import cli
from labquota.policies.identities import read

ROOT = Path(__file__).parents[2]
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["policies", *words])


def printed(*words: str) -> list[dict[str, Any]]:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return list(yaml.safe_load_all(result.stdout))


def shipped(*files: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in files:
        found += yaml.safe_load_all((ROOT / "config" / name).read_text())
    return found


def test_without_settings_it_prints_what_is_shipped() -> None:
    names = ("owner-rights", "owner-guard", "owner-stamp", "owner-webhook")
    assert printed() == shipped(*(f"install/{name}.yaml" for name in names))


def test_without_policies_the_webhook_is_asked_for_everything_instead() -> None:
    found = printed("--without-policies")
    assert found == shipped(
        "install/owner-rights.yaml", "install/owner-guard.yaml", "without-policies/owner-webhook.yaml"
    )
    assert not [each for each in found if each["kind"].startswith("MutatingAdmissionPolicy")]


def test_no_two_objects_have_one_name() -> None:
    counted = Counter((each["kind"], each["metadata"]["name"]) for each in printed())
    assert set(counted.values()) == {1}


def test_the_settings_are_in_policies_and_rights(tmp_path: Path) -> None:
    path = tmp_path / "owners.yaml"
    path.write_text("presets: {kubeflow: {}, openshift: {}}\nkinds: [gadgets.example.org]\n")
    found = {(each["kind"], each["metadata"]["name"]): each for each in printed("-f", str(path))}
    stamp = yaml.safe_dump(found["MutatingAdmissionPolicy", "owner-stamp-places.labquota.dev"])
    assert "system:serviceaccount:openshift-apiserver:openshift-apiserver-sa" in stamp
    readable = {
        f"{resource}.{rule['apiGroups'][0]}".rstrip(".")
        for rule in found["ClusterRole", "labquota-owners"]["rules"]
        for resource in rule["resources"]
    }
    assert {"gadgets.example.org", "notebooks.kubeflow.org"} <= readable, "listed, or a preset's"
    assert {"deploymentconfigs.apps.openshift.io", "profiles.kubeflow.org"} <= readable, "read on the way up"
    custom = found["MutatingAdmissionPolicy", "owner-stamp-custom.labquota.dev"]
    stamped = {
        f"{resource}.{rule['apiGroups'][0]}"
        for rule in custom["spec"]["matchConstraints"]["resourceRules"]
        for resource in rule["resources"]
    }
    assert {"gadgets.example.org", "notebooks.kubeflow.org"} <= stamped
    assert not {"deploymentconfigs.apps.openshift.io", "profiles.kubeflow.org"} & stamped
    assert read("object.metadata") in yaml.safe_dump(custom, width=10_000)


@pytest.mark.parametrize("more", [[], ["--without-policies"]])
def test_the_certificate_is_written_into_the_registration(tmp_path: Path, more: list[str]) -> None:
    path = tmp_path / "tls.crt"
    path.write_text(CERTIFICATE)
    (registration,) = (each for each in printed("--ca-bundle", str(path), *more) if "webhooks" in each)
    bundle = registration["webhooks"][0]["clientConfig"]["caBundle"]
    assert base64.b64decode(bundle).decode() == CERTIFICATE


def test_what_is_wrong_is_one_line_and_nothing_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "owners.yaml"
    path.write_text("presets: {jupyter: {}}\n")
    for words, line in (
        (("-f", str(path)), f"{path}: presets: no preset is called jupyter"),
        (("--ca-bundle", "/nowhere/tls.crt"), "/nowhere/tls.crt cannot be read: No such file or directory"),
        (("--ca-bundle", str(path)), f"{path} holds no certificate in PEM"),
    ):
        result = run(*words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert line in result.stderr
        assert result.stderr.count("\n") == 1
