"""From a Struct to the structural OpenAPI v3 schema that a CustomResourceDefinition wants.

msgspec knows the types, descriptions and extra words of a Struct; Kubernetes wants the same without references, without
`null`, and with its own word for "a number or a string". https://kubernetes.io/docs/tasks/extend-kubernetes/
custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

Schema: TypeAlias = dict[str, Any]

ORDER = ("description", "type", "format", "enum", "default")
"""Which words of a schema come first in the file, for whoever reads it; the rest follow by name."""

_ROOT = {
    "apiVersion": {"description": "The version of this resource, labquota.dev/v1alpha1.", "type": "string"},
    "kind": {"description": "The kind of this resource.", "type": "string"},
    "metadata": {"type": "object"},
}


def of(kind: type[msgspec.Struct]) -> Schema:
    """Build the whole schema of a resource, apiVersion, kind and metadata included.

    Args:
        kind: the Struct of the resource; its docstring becomes the description.

    Returns:
        a structural schema; defaults are in it for the spec, never for the status, which no admin writes.
    """
    (root,), parts = msgspec.json.schema_components((kind,))
    schema = _structural(root, parts)
    properties = schema["properties"] | _ROOT
    if "status" in properties:
        properties["status"] = _without_defaults(properties["status"])
    schema["properties"] = {name: properties[name] for name in sorted(properties, key=_as_in_a_manifest)}
    schema["required"] = [name for name in schema["required"] if name != "metadata"]
    return schema


def _as_in_a_manifest(name: str) -> tuple[int, str]:
    usual = ("apiVersion", "kind", "metadata", "spec", "status")
    return (usual.index(name) if name in usual else len(usual), name)


def _structural(schema: Schema, parts: dict[str, Schema]) -> Schema:
    """Rewrite one schema and all below it."""
    schema = dict(schema)
    if reference := schema.pop("$ref", None):
        schema = _structural(parts[reference.rsplit("/", 1)[1]], parts) | schema
        schema.pop("default", None)
        return _ordered(schema)
    if choices := schema.pop("anyOf", None):
        return _structural(_chosen(choices) | schema, parts)
    schema.pop("title", None)
    if "enum" in schema:
        schema["type"] = "string"
    if schema.get("type") == "integer":
        schema.setdefault("format", "int64")
    if schema.get("default") in (
        None,
        "",
        (),
        [],
        {},
    ):  # absent and empty mean the same in labquota's resources
        schema.pop("default", None)
    if not schema.get("required"):
        schema.pop("required", None)
    schema = _below(schema, lambda inner: _structural(inner, parts))
    _give_defaults_to_keys(schema)
    return _ordered(schema)


def _chosen(choices: list[Schema]) -> Schema:
    """Reduce "this or null" to this, since absent is Kubernetes' null, and "integer or string" to its own word."""
    left = [choice for choice in choices if choice.get("type") != "null"]
    if len(left) == 1:
        return left[0]
    if [choice.get("type") for choice in left] == ["integer", "string"]:
        return {"x-kubernetes-int-or-string": True}
    raise TypeError(f"a structural schema has no word for a choice between {left}: give the field one type")


def _give_defaults_to_keys(schema: Schema) -> None:
    """Make "" the default of what a list is keyed by: Kubernetes wants such a field required or defaulted."""
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        item = schema["items"]
        if key not in item["required"]:
            item["properties"][key] = _ordered({**item["properties"][key], "default": ""})


def _without_defaults(schema: Schema) -> Schema:
    """Drop the defaults of a schema and of all below it."""
    return _below({word: value for word, value in schema.items() if word != "default"}, _without_defaults)


def _below(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Change the schemas directly below one."""
    schema = dict(schema)
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            schema[inner] = change(schema[inner])
    if "properties" in schema:
        schema["properties"] = {name: change(part) for name, part in schema["properties"].items()}
    return schema


def _ordered(schema: Schema) -> Schema:
    first = [word for word in ORDER if word in schema]
    return {word: schema[word] for word in first + sorted(schema.keys() - set(first))}
