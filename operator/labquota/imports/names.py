"""Which names can be used: users as the cluster knows them, groups as names of Kubernetes objects."""

import re
from typing import Final

from labquota.imports.findings import Findings, Where

_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,251}\$?")
_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_OBJECT: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST_OBJECT: Final = 253  # a DNS subdomain, RFC 1123


def is_object(name: str) -> bool:
    """Whether a Kubernetes object can have this name."""
    return len(name) <= _LONGEST_OBJECT and _OBJECT.fullmatch(name) is not None


def check_group(name: str, where: Where, findings: Findings) -> bool:
    """Whether a group's name can name its ResourceLimitGroup; a problem if not."""
    if is_object(name):
        return True
    findings.problem(
        where, f'group name "{name[:80]}" cannot name a Kubernetes object: use a-z, 0-9, - and .'
    )
    return False


def check_user(name: str, where: Where, findings: Findings) -> bool:
    """Whether a text can be a user's name: a Linux or domain account, an e-mail address; a problem if not."""
    if _USER.fullmatch(name):
        return True
    findings.problem(
        where,
        f'"{name[:80]}" is not a valid user name: letters, digits and . _ @ + - are allowed, no space',
    )
    return False
