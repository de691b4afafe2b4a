"""Where the limits of an answer come from: a cluster, or files that stand for one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from labquota.api import API_VERSION, ResourceLimitGroup, ResourceLimitOverride
from labquota.cli import output
from labquota.cli.cluster import Cluster
from labquota.cli.facts import Facts
from labquota.cli.failures import BadInput, NoAnswer
from labquota.kube.errors import NotFound
from labquota.quota import compiling
from labquota.quota.trust import DEFAULT, Trust
from labquota.quota.world import World

_ROOT: Final = f"/apis/{API_VERSION}"


class _Groups(msgspec.Struct):
    items: list[ResourceLimitGroup]


class _Overrides(msgspec.Struct):
    items: list[ResourceLimitOverride]


def from_cluster(cluster: Cluster, trust: Trust = DEFAULT) -> Facts:
    """The limits that are in force in a cluster.

    Args:
        cluster: Where they are.
        trust: Whom the cluster's labquota believes what about owners.

    Raises:
        Forbidden: We may not read them.
        NoAnswer: The cluster does not answer, or labquota is not installed there.
    """
    world = World(trust)
    try:
        groups = msgspec.json.decode(cluster.get(f"{_ROOT}/resourcelimitgroups"), type=_Groups)
        overrides = msgspec.json.decode(cluster.get(f"{_ROOT}/resourcelimitoverrides"), type=_Overrides)
    except NotFound:
        raise NoAnswer("this cluster has no labquota: it knows no resourcelimitgroups.labquota.dev") from None
    _fill(world, groups.items, overrides.items)
    return Facts(world, cluster)


def from_files(path: Path) -> Facts:
    """The limits that files hold: the older limiter's configuration, or labquota's own manifests.

    Raises:
        BadInput: Something in them is wrong; every problem on a line of its own.
    """
    from labquota import imports  # noqa: PLC0415  only --config needs it

    try:
        loaded = imports.load(path)
    except imports.LoadError as error:
        raise BadInput(str(error)) from error
    for warning in loaded.warnings:
        output.note(warning)
    world = World()
    _fill(world, loaded.groups, loaded.overrides)
    return Facts(world)


def _fill(
    world: World, groups: Iterable[ResourceLimitGroup], overrides: Iterable[ResourceLimitOverride]
) -> None:
    for group in groups:
        compiled = compiling.group(group)
        world.put_group(compiled)
        for problem in compiled.problems:
            output.note(f"ResourceLimitGroup/{compiled.name}: {problem}")
    for override in overrides:
        read = compiling.override(override)
        world.put_override(read)
        for problem in read.problems:
            output.note(f"ResourceLimitOverride/{read.name}: {problem}")
