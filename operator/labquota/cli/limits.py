"""`labquota limits`: what an owner may hold, and which object says so."""

import json
from pathlib import Path

import click

from labquota import imports
from labquota.cli import flags, gathering, identity, output, published, ruling
from labquota.cli.cluster import Cluster
from labquota.cli.facts import Facts
from labquota.cli.failures import BadInput, Forbidden
from labquota.cli.flags import Target
from labquota.cli.identity import Identity
from labquota.cli.ruling import Answer
from labquota.quota.limits import Limit, Limits, shown
from labquota.quota.owners import Owner
from labquota.quota.resources import parse_limit


@click.command("limits")
@click.argument("owner", required=False)
@click.option(
    "--aggregate", is_flag=True, help="Print the older limiter's aggregate section as JSON, or null."
)
@click.option(
    "--aggregate-gpu-limit", is_flag=True, help="Print the GPU limit alone: a number, or unlimited."
)
@click.option(
    "--config",
    metavar="DIR",
    type=click.Path(exists=True, path_type=Path),
    help="Answer from files, without a cluster: the older limiter's folder, or labquota's manifests.",
)
@output.option
@flags.options
def command(
    owner: str | None,
    *,
    aggregate: bool,
    aggregate_gpu_limit: bool,
    config: Path | None,
    output: str,
    target: Target,
) -> None:
    """Show the limits of OWNER: user:NAME, serviceaccount:NAMESPACE/NAME or namespace:NAME.

    A bare name is a user. Without OWNER: how the cluster sees you, your group, why it is yours, and your limits.

    \b
    Examples:
      labquota limits                                  mine, in the current context
      labquota limits alice                            a user's
      labquota limits namespace:vision -o json         for a program
      labquota limits alice --aggregate-gpu-limit      "3", or "unlimited"
      labquota limits alice --config /etc/limiter      from files, without a cluster
      labquota limits --as bob --as-group students     what bob would see

    \b
    Exit codes:
      0  answered
      2  bad input
      3  the cluster does not answer, does not permit it, or has no labquota
    """  # noqa: D301  # \b is click's mark
    answer = _from_files(owner, config, target) if config else _from_cluster(owner, target)
    caps = {key: limit.amount for key, limit in shown(answer.limits.aggregate).items()}
    if aggregate_gpu_limit:
        click.echo(imports.aggregate_gpu_limit(caps))
    elif aggregate:
        click.echo(json.dumps(imports.aggregate_section(caps)))
    else:
        ruling.show(answer, output)


def _from_files(owner: str | None, config: Path, target: Target) -> Answer:
    me = identity.of_target(target)
    if owner is None and me is None:
        raise BadInput("with --config, say whose limits: labquota limits OWNER --config DIR, or --as USER")
    known = gathering.from_files(config)
    asked = identity.owner_named(owner) if owner is not None else None
    return _answer(known, asked, me)


def _from_cluster(owner: str | None, target: Target) -> Answer:
    reached = Cluster(target)
    asked = identity.owner_named(owner) if owner is not None else None
    me = identity.of_cluster(reached)
    try:
        known = gathering.from_cluster(reached)
    except Forbidden as error:
        return _published(reached, asked or me.owner, me if asked in (None, me.owner) else None, error)
    if asked is not None and asked.startswith("namespace:"):
        known.meet_namespace(asked.partition(":")[2])
    return _answer(known, asked, me)


def _answer(known: Facts, asked: Owner | None, me: Identity | None) -> Answer:
    if me is not None and asked in (None, me.owner):
        owner, groups = me.owner, known.world.named_groups(me.groups)
    else:
        owner, me = asked or Owner(""), None
        groups = known.groups_of(owner)
    match = known.world.group_of(owner, groups)
    why = match[1] if match else "no group matches, and none is the default"
    return Answer(owner, known.limits_of(owner, groups), why, me)


def _published(reached: Cluster, owner: Owner, me: Identity | None, error: Forbidden) -> Answer:
    """The limits as the owner's published budget repeats them, for a person who may read only that."""
    try:
        usage = published.read(reached, owner)
    except Forbidden:
        raise error from None
    if usage is None:
        raise error
    output.note(f"from the published budget, without per-pod limits; {error.message}")
    status = usage.status
    aggregate = {key: Limit(parse_limit(key, each.limit), each.source) for key, each in status.limits.items()}
    limits = Limits(group=status.group or None, aggregate=aggregate, enforcement=status.enforcement)
    return Answer(owner, limits, "as published", me)
