"""What of other objects a decision about GPUs may need, and what was found there.

    examine ──► Case.unread: look these up ──► Request.facts ──► examine again ──► … until nothing is unread

Only pods of limited owners that could reach a GPU by it ask for any; all others are judged without a read.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

Resource = Literal[
    "configmaps", "secrets", "runtimeclasses", "resourceclaims", "resourceclaimtemplates", "deviceclasses"
]


class Lookup(NamedTuple):
    """One object to read; without a name: all of the kind."""

    resource: Resource
    namespace: str
    name: str


class DeviceClass(msgspec.Struct, frozen=True):
    """A class of devices that claims ask for, as far as it says which those are."""

    name: str
    selectors: tuple[str, ...] = ()
    """CEL expressions that a device must meet."""
    extended_resource: str = ""
    """A resource name by which containers ask for such devices without a claim."""


class Found(msgspec.Struct, frozen=True):
    """What was found; each kind of object has some of these."""

    exists: bool = True
    readable: bool = True
    """Whether labquota has the right to read it."""
    variables: Mapping[str, str] = {}
    """Of a ConfigMap or Secret: the entries whose keys could end a variable that counts."""
    handler: str = ""
    """Of a RuntimeClass."""
    classes: tuple[str, ...] = ()
    """The DeviceClasses that a claim, or what claims are made from, asks for."""
    device_classes: tuple[DeviceClass, ...] = ()


GONE: Final = Found(exists=False)
HIDDEN: Final = Found(exists=False, readable=False)

Facts = Mapping[Lookup, Found]
