"""Who asks and whose object it is, in CEL: the terms of `quota.trust`, as variables of a policy."""

import json
from collections.abc import Iterable
from typing import Any, Final

from labquota.quota import trust as trusts
from labquota.quota.owners import OWNER_ANNOTATION
from labquota.quota.stamping import LABEL_FORM
from labquota.quota.trust import Trust

NAMESPACE: Final = "labquota-system"
OPERATOR: Final = f"system:serviceaccount:{NAMESPACE}:labquota-operator"
"""Pins the resolved owner on pods that came without a stamp."""

_ACCOUNTS: Final = "system:serviceaccount:"
_CARRIERS: Final = json.dumps(trusts.CARRIERS)
_FORM: Final = "^(user:.+|namespace:.+|serviceaccount:[^/]+/[^/]+)$"

IS_CARRIER: Final = f"request.userInfo.username in {_CARRIERS}"
NO_CARRIER: Final = f"!({IS_CARRIER})"

MAY_RENAME: Final = "variables.administers || variables.isSource"
"""CEL: whether somebody may say whose a namespace or a service account is, and say so anew."""

Variable = dict[str, Any]


def variable(name: str, expression: str) -> Variable:
    """One variable of a policy."""
    return {"name": name, "expression": expression}


def requester(trust: Trust) -> list[Variable]:
    """Variables that say who asks: `user`, `account`, `system`, `forOthers`, `administers`, `own`."""
    controllers, users = _list(trust.controllers), _list(trust.administrators)
    groups = _list(trust.administrator_groups)
    return [
        variable("user", "request.userInfo.username"),
        variable("account", f"variables.user.startsWith('{_ACCOUNTS}')"),
        variable("system", "variables.user.startsWith('system:') && !variables.account"),
        variable(
            "forOthers",
            f"variables.user in {controllers} ||\n"
            f"(variables.user.startsWith('{_ACCOUNTS}kube-system:') && variables.user.endsWith('-controller'))",
        ),
        variable(
            "administers",
            f"variables.user in {users} ||\n"
            f"(has(request.userInfo.groups) && request.userInfo.groups.exists(group, group in {groups}))",
        ),
        variable("isSource", is_source(trust)),
        variable(
            "own",
            "variables.account\n"
            "? 'serviceaccount:' + variables.user.split(':')[2] + '/' + variables.user.split(':')[3]\n"
            ": 'user:' + variables.user",
        ),
    ]


def is_source(trust: Trust) -> str:
    """CEL: whether an identity source asks."""
    return f"request.userInfo.username in {_list(trust.sources)}"


def named(trust: Trust) -> list[Variable]:
    """Variables that say what the object's author wrote: `written`, and `named` where it is one who may name."""
    alias = "''"
    for principal, naming in sorted(trust.sources.items()):
        if naming.annotation != OWNER_ANNOTATION:
            value = read("object.metadata", naming.annotation)
            given = f"{value} == '' ? '' : {_text(f'user:{naming.prefix}')} + {value}"
            alias = f"(variables.user == {_text(principal)} ? ({given}) : {alias})"
    return [
        variable("written", read("object.metadata")),
        variable("alias", alias),
        variable("named", f"{is_owner('variables.written')} ? variables.written : variables.alias"),
    ]


def label_of(owner: str) -> str:
    """CEL: the value of the label for an owner, empty where there is none."""
    name = f"{owner}.substring(5)"
    return f"({owner}.startsWith('user:') && {name}.matches(r'^{LABEL_FORM}$') ? {name} : '')"


def read(metadata: str, annotation: str = OWNER_ANNOTATION) -> str:
    """CEL: an annotation, empty where there is none."""
    return f"{metadata}.?annotations[?{_text(annotation)}].orValue('')"


def is_owner(text: str) -> str:
    """CEL: whether a text has the form of an owner."""
    return f"({text}.size() <= 1024 && {text}.matches(r'{_FORM}'))"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, sorted(texts)))}]"


def _text(text: str) -> str:
    """A CEL string: JSON's escapes are CEL's too, but for those that take a character apart."""
    return json.dumps(text, ensure_ascii=False)
