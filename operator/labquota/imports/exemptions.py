"""Lifecycle exemptions: labquota has no lifecycle rules yet, so the report says whose there are."""

from yaml.nodes import ScalarNode

from labquota.imports.findings import Findings
from labquota.imports.lines import Document


def report(document: Document | None, findings: Findings) -> None:
    """List every exemption as not imported yet."""
    root = document.root() if document else None
    if document is None or root is None:
        return
    top = document.section(root)
    if "exemptions" not in top:
        for key, entry in top.items():
            findings.later(entry.where, f"lifecycle exemption of {key}")
        return
    for item in document.items(top["exemptions"]):
        user = document.section(item).get("username")
        named = user is not None and isinstance(user.node, ScalarNode)
        findings.later(
            item.where,
            f"lifecycle exemption of {user.node.value}" if user and named else "lifecycle exemption",
        )
