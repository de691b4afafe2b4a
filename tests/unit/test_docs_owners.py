"""docs/owners.md: its example is read, and it names every field, preset, annotation and kind, and no other."""

import re
from pathlib import Path

import msgspec
import yaml

from labquota import ownership
from labquota.ownership import _File
from labquota.quota import presets
from labquota.quota.trust import BUILT_IN_KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "owners.md").read_text()


def section(title: str) -> str:
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


def test_the_example_of_settings_can_be_used_and_shows_every_field() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", section("The settings"), re.MULTILINE | re.DOTALL)
    trust = ownership.read(block)
    assert (
        trust.named("system:serviceaccount:portal:portal", {"portal.example.org/user": "eve"})
        == "user:oidc:eve"
    )
    assert set(yaml.safe_load(block)) == {field.encode_name for field in msgspec.structs.fields(_File)}


def test_every_field_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", section("The settings"), re.MULTILINE)
    named = {re.split(r"[.\[]", row)[0] for row in rows}
    assert named == {field.encode_name for field in msgspec.structs.fields(_File)}
    assert {"administrators.users", "administrators.groups"} <= set(rows)
    assert {f"identitySources[].{each}" for each in ("principal", "annotation", "prefix")} <= set(rows)


def test_every_preset_is_described_with_its_namespace_and_what_it_reads() -> None:
    text = section("Presets")
    assert re.findall(r"^\*\*`(\w+)`\*\* \(`namespace: [^`]+`", text, re.MULTILINE) == list(presets.PRESETS)
    for name, (make, namespace) in presets.PRESETS.items():
        described = text.partition(f"**`{name}`**")[2]
        assert f"`namespace: {namespace}`" in described
        for naming in make(namespace, "").sources.values():
            assert f"`{naming.annotation}`" in described, f"{name} reads {naming.annotation}"


def test_what_is_stamped_is_all_that_is_built_in() -> None:
    words = section("What is stamped").lower()
    for kind in (*BUILT_IN_KINDS, "namespaces", "serviceaccounts"):
        assert kind.partition(".")[0] in words, f"{kind} is not named"
