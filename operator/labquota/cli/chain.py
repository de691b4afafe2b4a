"""Whose a workload's pods are, step by step: the chain that policies and webhook follow, with reads as the asker."""

import asyncio
from typing import Any, cast

import msgspec

from labquota.cli import identity
from labquota.cli.cluster import Cluster
from labquota.cli.facts import Facts
from labquota.cli.failures import BadInput, Forbidden, NoAnswer
from labquota.cli.identity import Identity
from labquota.cli.workloads import Workload
from labquota.clock import SystemClock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.lineage import Lineage, Resolved, Unresolved
from labquota.quota import owners
from labquota.quota.owners import OWNER_ANNOTATION, Owner


class Answer(msgspec.Struct, frozen=True):
    """Who makes the pods, whom they belong to, and how that was found."""

    who: Identity
    owner: Owner
    steps: tuple[str, ...]


class _Reads:
    """The cluster, for what only reads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def get(self, path: str, params: Any = None, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as in Api
        del params, timeout
        try:
            return self._cluster.get(path)
        except Forbidden as error:
            raise errors.ApiError(403, "Forbidden", error.message) from error


class Chain:
    """Finds owners.

    Args:
        facts: Namespaces, and the cluster to ask; without one nothing can be followed.
        me: Who asks.
        as_owner: Everything is this owner's.
    """

    def __init__(self, facts: Facts, me: Identity | None, as_owner: Owner | None) -> None:
        self._facts, self._me, self._as_owner = facts, me, as_owner

    def of(self, workload: Workload) -> Answer:
        """The owner of a workload's pods.

        Raises:
            BadInput: Nobody says who makes them.
            NoAnswer: Something cannot be read that the answer rests on.
        """
        if self._as_owner is not None:
            return Answer(self._acting_for(self._as_owner), self._as_owner, ("as --as-owner says",))
        if workload.stored:
            return self._stored(workload)
        if self._me is None:
            raise BadInput(f"{workload}: say who makes it: --as USER or --as-owner OWNER")
        made = "who creates a workload owns its pods" if workload.templated else "who makes a pod owns it"
        account = owners.service_account(self._me.username)
        if account is None or self._facts.cluster is None:
            return Answer(self._me, self._me.owner, (made,))
        self._facts.meet_namespace(account[0])
        found = self._follow(lambda lineage: lineage.of_account(*account))
        return Answer(self._me, found.owner, (made, *found.steps))

    def _stored(self, workload: Workload) -> Answer:
        meta, namespace = workload.pod.metadata, workload.namespace
        self._facts.meet_namespace(namespace)
        if stamp := owners.named(meta.annotations):
            why = f"the pod's stamp, annotation {OWNER_ANNOTATION}"
            return Answer(self._acting_for(stamp), stamp, (why,))
        found = self._follow(lambda lineage: lineage.of_made(namespace, meta))
        return Answer(self._acting_for(found.owner), found.owner, ("the pod has no stamp", *found.steps))

    def _follow(self, ask: Any) -> Resolved:
        facts = self._facts
        if facts.cluster is None:
            raise BadInput("whose this is cannot be followed without a cluster: use --as-owner OWNER")
        world, reads = facts.world, cast("Api", _Reads(facts.cluster))
        lineage = Lineage(reads, SystemClock(), world.trust, world.annotations_of)
        try:
            found: Resolved = asyncio.run(ask(lineage))
        except Unresolved as error:
            raise NoAnswer(str(error)) from error
        return found

    def _acting_for(self, owner: Owner) -> Identity:
        """The owner themselves, with the groups of their latest request; us, where that is who we are."""
        if self._me is not None and self._me.owner == owner:
            return self._me
        return Identity(identity.username(owner), self._facts.groups_of(owner))
