"""The rules (CEL) with which the API server refuses what types alone cannot: each with the line a person reads.

A rule that speaks of one value sits at that value, so that the refusal carries its key in the path; one that needs the
key's name or two keys sits at the map and names the key itself. CEL has no functions, so shared parts are strings here.
"""

from typing import Final, TypeAlias

Rule: TypeAlias = dict[str, str]

_DIGITS: Final = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)"
# Two digits of exponent: all that fits a counter, and no way to make the API server reckon with 10^999999999.
_QUANTITY: Final = rf"^[-+]?{_DIGITS}([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{{1,2}})?$"
_FRACTION: Final = r"^[0-9]{1,6}/[1-9][0-9]{0,5}$"

_PLAIN_KEYS: Final = (
    "gpu",
    "gpu-equivalents",
    "gpu-memory",
    "pods",
    *(
        f"{side}{key}"
        for key in ("cpu", "memory", "ephemeral-storage")
        for side in ("", "requests.", "limits.")
    ),
)
_LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME: Final = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_HUGEPAGES: Final = r"^(requests\.)?hugepages-[1-9][0-9]{0,9}[KMGT]i$"
_EXTENDED: Final = rf"^{_LABEL}(\.{_LABEL})*/{_NAME}$"
_LABEL_KEY: Final = rf"^({_LABEL}(\.{_LABEL})*/)?{_NAME}$"

_KNOWN: Final = (
    f"k in [{', '.join(repr(key) for key in _PLAIN_KEYS)}]\n"
    f"|| k.matches(r'{_HUGEPAGES}')\n"
    f"|| (k.matches(r'{_EXTENDED}') && k.indexOf('/') <= 244 && !k.contains('kubernetes.io/')\n"
    "  && !['limits.', 'requests.limits.', 'requests.requests.'].exists(p, k.startsWith(p)))"
)
_WHOLE_KEY: Final = "(k in ['gpu', 'pods'] || k.contains('/'))"
_FRACTIONAL: Final = (
    "type(self[k]) == string && self[k] != 'unlimited'\n"
    f"&& self[k].matches(r'{_QUANTITY}') && !quantity(self[k]).isInteger()"
)


def _indent(text: str) -> str:
    return "  " + text.replace("\n", "\n  ")


def _none(bad: str, message: str) -> Rule:
    """Refuse a map in which the CEL expression `bad` holds for some key `k`.

    Args:
        bad: when the key `k` of the map `self` is wrong.
        message: what the person reads; `KEYS` in it becomes the wrong keys.
    """
    rule, keys = (f"self.{macro}(k,\n{_indent(bad)}\n)" for macro in ("exists", "filter"))
    return {
        "rule": f"!{rule}",
        # format() and not join(): the API server takes a key for endless when it estimates what join() costs
        "messageExpression": f"'{message.replace('KEYS', '%s')}'.format([{keys}])",
        "message": message.replace("KEYS", "a key"),  # wanted by the API server in case the expression fails
    }


AMOUNT: Final[list[Rule]] = [
    {
        "rule": (
            "type(self) == int || self == 'unlimited'\n"
            f"|| self.matches(r'{_QUANTITY}') || self.matches(r'{_FRACTION}')"
        ),
        "message": 'is not a quantity: write a number such as 3, 500m or 80Gi, or "unlimited"',
    },
    {
        "rule": "type(self) == int ? self >= 0 : !self.startsWith('-')",
        "message": 'must not be negative: write 0 for none, "unlimited" to lift a limit',
    },
]

AMOUNTS: Final[list[Rule]] = [
    _none(
        f"!(\n{_indent(_KNOWN)}\n)",
        "KEYS cannot be limited: use gpu, gpu-equivalents, gpu-memory, pods, cpu, memory, "
        "ephemeral-storage, limits.cpu, limits.memory, limits.ephemeral-storage, hugepages-<size>, or an "
        "extended resource such as nvidia.com/mig-3g.20gb",
    ),
    _none(
        "'requests.' + k in self",
        "KEYS is set twice: the key with and the key without requests. are one resource, keep one of them",
    ),
    _none(
        f"{_WHOLE_KEY}\n&& {_FRACTIONAL}",
        "KEYS is counted in whole units: write a whole number",
    ),
    _none(
        "k != 'gpu-equivalents' && type(self[k]) == string && self[k].contains('/')",
        "KEYS takes no fraction: only gpu-equivalents does, as in 4/7",
    ),
]

SUBJECT: Final[list[Rule]] = [
    {
        "rule": "self.kind != 'ServiceAccount' || self.namespace != ''",
        "message": "a subject of kind ServiceAccount needs its namespace",
        "fieldPath": ".namespace",
        "reason": "FieldValueRequired",
    },
    {
        "rule": "self.kind == 'ServiceAccount' || self.namespace == ''",
        "message": "only a subject of kind ServiceAccount has a namespace: remove it",
        "fieldPath": ".namespace",
        "reason": "FieldValueForbidden",
    },
    {
        "rule": "self.kind != 'User' || !self.name.startsWith('system:serviceaccount:')",
        "message": "is a service account: write kind ServiceAccount with its namespace and name",
        "fieldPath": ".name",
    },
]

PERIOD: Final[list[Rule]] = [
    {
        "rule": "!has(self.notBefore) || !has(self.expiresAt) || self.expiresAt > self.notBefore",
        "message": "must be after notBefore",
        "fieldPath": ".expiresAt",
    },
]

OWNER_STAYS: Final[list[Rule]] = [
    {"rule": "self == oldSelf", "message": "cannot be changed: an OwnerUsage belongs to one owner for good"},
]

REQUIREMENT: Final[list[Rule]] = [
    {
        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
        "message": "In and NotIn need at least one value; Exists and DoesNotExist take none",
        "fieldPath": ".values",
    },
]

LABEL_KEY: Final[list[Rule]] = [
    {
        "rule": f"self.matches(r'{_LABEL_KEY}')",
        "message": "is not a label key, such as team or example.com/team",
    },
]

LABEL_KEYS: Final[list[Rule]] = [
    _none(
        f"!k.matches(r'{_LABEL_KEY}')",
        "KEYS is not a label key: write one such as team or example.com/team",
    ),
]

LABEL_VALUE: Final[list[Rule]] = [
    {
        "rule": f"self.matches(r'^({_NAME})?$')",
        "message": "is not a label value: at most 63 letters, digits, '-', '_' or '.', a letter or digit at both ends",
    },
]

ALLOCATION: Final[list[Rule]] = [
    {
        "rule": "has(self.pod) != (has(self.devices) && size(self.devices) > 0)",
        "message": "name the devices to hold: a list of node, gpu and, for a MIG device, gpuInstance and "
        "computeInstance; the allocations of pods are the operator's",
        "fieldPath": ".devices",
    },
    {
        "rule": "self.owner == oldSelf.owner && has(self.pod) == has(oldSelf.pod)\n"
        "&& (!has(self.pod) || self.pod == oldSelf.pod)",
        "message": "cannot be changed: delete this allocation and create another",
        "fieldPath": ".owner",
    },
    {
        "rule": "has(self.pod) || (has(oldSelf.devices) && self.devices == oldSelf.devices)",
        "message": "cannot be changed: delete this hold and create another",
        "fieldPath": ".devices",
    },
    {
        # so that nothing that was charged once ever has to be charged again
        "rule": "has(self.pod) || !has(oldSelf.expiresAt)\n"
        "|| (has(self.expiresAt) && self.expiresAt <= oldSelf.expiresAt)",
        "message": "can be brought forward only: to hold longer, delete this hold and create another",
        "fieldPath": ".expiresAt",
    },
]
