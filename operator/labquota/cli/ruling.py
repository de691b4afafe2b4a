"""How limits are shown: each layer, and the object that sets each number."""

from typing import Any

import click
import msgspec

from labquota.api import UsageLimit
from labquota.cli import output
from labquota.cli.identity import Identity
from labquota.quota import resources
from labquota.quota.limits import Limit, Limited, Limits, shown
from labquota.quota.owners import Owner


class Answer(msgspec.Struct, frozen=True):
    """An owner's limits, and how they came to be theirs."""

    owner: Owner
    limits: Limits
    why: str
    me: Identity | None = None
    """The asker, where the owner is the asker."""


def show(answer: Answer, form: str) -> None:
    """Print it as a table, json or yaml."""
    if form != "table":
        output.data(form, _shape(answer))
        return
    limits = answer.limits
    if answer.me is not None:
        click.echo(f"User:        {answer.me.username}")
        click.echo(f"User groups: {', '.join(answer.me.groups) or 'none'}")
    click.echo(f"Owner:       {answer.owner}")
    click.echo(f"Group:       {limits.group or 'none'} ({answer.why})")
    if limits.enforcement != "Enforce" and limits.group:
        click.echo(f"Enforcement: {limits.enforcement}")
    if limits.suspended:
        click.echo(f"Suspended:   by {limits.suspended}: no new pods")
    if not limits.allow_whole_gpu:
        click.echo(f"Whole GPUs:  not allowed ({limits.whole_gpu_source})")
    aggregate, per_pod = shown(limits.aggregate), shown(limits.per_pod)
    rows = [[key, *_cells(aggregate, key), *_cells(per_pod, key)] for key in sorted({*aggregate, *per_pod})]
    if rows:
        click.echo()
        columns = ("resource", "limit", "set by", "per pod", "per pod set by")
        output.show(output.table(columns, rows, numbers=("limit", "per pod")))
    else:
        click.echo("Limits:      none: not limited")


def _cells(limited: Limited, key: str) -> tuple[str, str]:
    limit = limited.get(key)
    return ("", "") if limit is None else (_amount(key, limit), limit.source)


def _amount(key: str, limit: Limit) -> str:
    return resources.UNLIMITED if limit.amount is None else resources.show(key, limit.amount)


def _shape(answer: Answer) -> dict[str, Any]:
    limits = answer.limits
    me = {"username": answer.me.username, "groups": list(answer.me.groups)} if answer.me else None
    return {
        "owner": answer.owner,
        "identity": me,
        "group": limits.group,
        "why": answer.why,
        "enforcement": limits.enforcement,
        "whenUnset": limits.when_unset,
        "onError": limits.on_error,
        "allowWholeGPU": limits.allow_whole_gpu,
        "suspended": limits.suspended,
        "aggregate": _layer(limits.aggregate),
        "perPod": _layer(limits.per_pod),
    }


def _layer(limited: Limited) -> dict[str, Any]:
    return {
        key: msgspec.to_builtins(UsageLimit(limit=_amount(key, limit), source=limit.source))
        for key, limit in sorted(shown(limited).items())
    }
