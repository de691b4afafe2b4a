"""`labquota usage`: what an owner holds, against their limits."""

import time
from collections.abc import Iterator
from typing import Final

import click

from labquota.api import OwnerUsageStatus, UsageLimit
from labquota.cli import budget, flags, gathering, identity, output, published
from labquota.cli.cluster import Cluster
from labquota.cli.failures import NO, Forbidden
from labquota.cli.flags import Target
from labquota.quota.limits import shown as shown_limits
from labquota.quota.owners import Owner
from labquota.quota.resources import UNLIMITED, show

_EVERY_SECONDS: Final = 1.0
"""How often -w looks: budgets are published at most once a second."""


@click.command("usage")
@click.argument("owner", required=False)
@click.option("-w", "--watch", is_flag=True, help="Go on showing it as it changes, until Ctrl-C.")
@click.option("--check", is_flag=True, help="End with exit code 1 if the owner is over a limit.")
@output.option
@flags.options
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
    usage = published.read(reached, owner)
    if usage is not None:
        return usage.status
    try:
        known = gathering.from_cluster(reached)
    except Forbidden as error:
        output.note(f"limits are not shown: {error.message}")
        return OwnerUsageStatus()
    limits = known.limits_of(owner, known.groups_of(owner))
    shown = {
        key: UsageLimit(
            limit=UNLIMITED if each.amount is None else show(key, each.amount), source=each.source
        )
        for key, each in sorted(shown_limits(limits.aggregate).items())
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

    with Live(budget.view(owner, status), console=output.console(), auto_refresh=False) as live:
        for changed in _changes(reached, owner, status):
            live.update(budget.view(owner, changed), refresh=True)


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
        output.show(budget.view(owner, status))
    else:
        output.data(form, budget.shape(owner, status))
