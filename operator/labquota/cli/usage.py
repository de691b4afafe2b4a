"""`labquota usage`: what an owner holds, against their limits."""

import time
from collections.abc import Iterator
from typing import Any, Final

import click
import msgspec

from labquota.api import OwnerUsageStatus, UsageLimit
from labquota.cli import cluster, facts, identity, output
from labquota.cli.cluster import Cluster, Target
from labquota.cli.failures import NO, Forbidden
from labquota.quota.owners import Owner
from labquota.quota.quantities import QuantityError
from labquota.quota.resources import UNLIMITED, parse_limit, show
from labquota.quota.verdict import NEARLY

_WIDTH: Final = 24
_UNICODE: Final = ("█", "▒", "·")
_ASCII: Final = ("#", "=", ".")
_EVERY_SECONDS: Final = 1.0
"""How often -w looks: budgets are published at most once a second."""


@click.command("usage")
@click.argument("owner", required=False)
@click.option("-w", "--watch", is_flag=True, help="Go on showing it as it changes, until Ctrl-C.")
@click.option("--check", is_flag=True, help="End with exit code 1 if the owner is over a limit.")
@output.option
@cluster.options
def command(owner: str | None, *, watch: bool, check: bool, output: str, target: Target) -> None:
    """Show what OWNER holds against their limits, and the pods that hold most of it.

    OWNER is user:NAME, serviceaccount:NAMESPACE/NAME or namespace:NAME; a bare name is a user; without it: yours.
    Reserved is what is held for pods that were admitted and have not been seen yet.

    \b
    Examples:
      labquota usage                    mine
      labquota usage alice -w           a user's, live
      labquota usage namespace:vision   what controllers' pods in a namespace hold
      labquota usage -o json | jq .resources.gpu

    \b
    Exit codes:
      0  answered
      1  with --check: over a limit
      2  bad input
      3  the cluster does not answer, does not permit it, or has no labquota
    """  # noqa: D301  # \b is click's mark
    reached = Cluster(target)
    whose = identity.owner_named(owner) if owner is not None else identity.of_cluster(reached).owner
    status = _read(reached, whose)
    if watch:
        _watch(reached, whose, status, output)
    else:
        _print(whose, status, output)
    if check and status.over_limit:
        raise SystemExit(NO)


def _read(reached: Cluster, owner: Owner) -> OwnerUsageStatus:
    """The published budget; for an owner without pods, who has none, their limits with nothing used."""
    usage = facts.read_usage(reached, owner)
    if usage is not None:
        return usage.status
    try:
        known = facts.from_cluster(reached)
    except Forbidden as error:
        output.note(f"limits are not shown: {error.message}")
        return OwnerUsageStatus()
    limits = known.limits_of(owner, known.groups_of(owner))
    shown = {
        key: UsageLimit(
            limit=UNLIMITED if each.amount is None else show(key, each.amount), source=each.source
        )
        for key, each in sorted(limits.aggregate.items())
    }
    return OwnerUsageStatus(group=limits.group or "", enforcement=limits.enforcement, limits=shown)


def _watch(reached: Cluster, owner: Owner, status: OwnerUsageStatus, form: str) -> None:
    if form != "table" or not output.console().is_terminal:
        _print(owner, status, form)
        for changed in _changes(reached, owner, status):
            click.echo("---" if form == "yaml" else "")
            _print(owner, changed, form)
        return
    from rich.live import Live  # noqa: PLC0415  only -w needs it

    with Live(_view(owner, status), console=output.console(), auto_refresh=False) as live:
        for changed in _changes(reached, owner, status):
            live.update(_view(owner, changed), refresh=True)


def _changes(reached: Cluster, owner: Owner, known: OwnerUsageStatus) -> Iterator[OwnerUsageStatus]:
    """The budget each time it has changed. Reading it again needs no right to watch."""
    while True:
        time.sleep(_EVERY_SECONDS)
        status = _read(reached, owner)
        if status != known:
            yield status
            known = status


def _print(owner: Owner, status: OwnerUsageStatus, form: str) -> None:
    if form == "table":
        output.show(_view(owner, status))
    else:
        output.data(form, _shape(owner, status))


def _view(owner: Owner, status: OwnerUsageStatus) -> Any:
    from rich.console import Group  # noqa: PLC0415  programs' output needs none
    from rich.text import Text  # noqa: PLC0415  as above

    head = f"{owner}   group {status.group or 'none'}"
    if status.group and status.enforcement != "Enforce":
        head += f"   enforcement {status.enforcement}"
    parts: list[Any] = [Text(head, style="bold")]
    keys = sorted(
        {*status.limits, *status.used, *status.reserved}, key=lambda key: (key not in status.limits, key)
    )
    if rows := [_row(key, status) for key in keys]:
        columns = ("resource", "used", "reserved", "limit", "", "state", "set by")
        parts += ["", output.table(columns, rows, numbers=("used", "reserved", "limit"))]
    else:
        parts.append("holds nothing")
    if status.pods:
        pods = [
            [f"{pod.namespace}/{pod.name}", ", ".join(f"{key} {text}" for key, text in pod.uses.items())]
            for pod in status.pods
        ]
        parts += ["", output.table(("pod", "holds"), pods)]
    parts += [
        Text(f"\n{each.type}: {each.message}", style="yellow")
        for each in status.conditions
        if each.status == "True"
    ]
    return Group(*parts)


def _row(key: str, status: OwnerUsageStatus) -> list[Any]:
    from rich.text import Text  # noqa: PLC0415  as in _view

    limit = status.limits.get(key)
    used, reserved = _amount(key, status.used.get(key)) or 0, _amount(key, status.reserved.get(key)) or 0
    most = _amount(key, limit.limit) if limit else None
    source = limit.source if limit else ""
    cells = [key, show(key, used), show(key, reserved) if reserved else "", limit.limit if limit else "-"]
    if most is None:
        return [*cells, "", "", source]
    total = used + reserved
    state = "OVER" if total > most else "full" if total == most and total else ""
    style = "red" if total > most else "yellow" if total * 100 >= most * NEARLY else "green"
    return [*cells, Text(_bar(used, reserved, most), style=style), Text(state, style=style), source]


def _amount(key: str, text: str | None) -> int | None:
    """An amount in base units; None where there is none, or none that can be read."""
    try:
        return None if text is None else parse_limit(key, text)
    except QuantityError:
        return None


def _bar(used: int, reserved: int, most: int) -> str:
    """Used, reserved and free parts of a limit; whatever is there is at least one step long."""
    full, waiting, free = _UNICODE if "utf" in output.console().encoding.lower() else _ASCII
    whole = max(most, used + reserved, 1)
    first = min(_WIDTH, max(used * _WIDTH // whole, 1 if used else 0))
    second = min(_WIDTH - first, max((used + reserved) * _WIDTH // whole - first, 1 if reserved else 0))
    return full * first + waiting * second + free * (_WIDTH - first - second)


def _shape(owner: Owner, status: OwnerUsageStatus) -> dict[str, Any]:
    keys = sorted({*status.limits, *status.used, *status.reserved})
    return {
        "owner": owner,
        "group": status.group or None,
        "enforcement": status.enforcement,
        "resources": {
            key: {
                "used": status.used.get(key, "0"),
                "reserved": status.reserved.get(key, "0"),
                "limit": status.limits[key].limit if key in status.limits else None,
                "source": status.limits[key].source if key in status.limits else None,
                "overLimit": key in status.over_limit,
            }
            for key in keys
        },
        "overLimit": list(status.over_limit),
        "pods": msgspec.to_builtins(status.pods),
        "conditions": msgspec.to_builtins(status.conditions),
    }
