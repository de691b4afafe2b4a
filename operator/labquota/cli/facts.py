"""What an answer rests on: the limits, and what owners hold, from the cluster or from files.

People may read limits and budgets, but not ledgers; then the published budget stands in for the ledger.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from labquota.api import API_VERSION, ObjectMeta, OwnerUsage
from labquota.cli import output, published
from labquota.cli.cluster import Cluster, segment
from labquota.cli.failures import Forbidden, NoAnswer
from labquota.kube.errors import NotFound
from labquota.quota import encoding, owners
from labquota.quota.explain import Holder
from labquota.quota.ledger import EMPTY, Ledger
from labquota.quota.limits import Limits
from labquota.quota.owners import Owner
from labquota.quota.world import World

_ROOT: Final = f"/apis/{API_VERSION}"


class _Ledger(msgspec.Struct):
    ledger: str = ""


class _Namespace(msgspec.Struct):
    metadata: ObjectMeta


class Facts:
    """Limits and ledgers of one cluster, or of files that stand for one.

    Args:
        world: Groups and overrides; namespaces are added as they are met.
        cluster: Where ledgers and budgets are read; None answers for a cluster without pods.
    """

    def __init__(self, world: World, cluster: Cluster | None = None) -> None:
        self.world, self.cluster = world, cluster
        self.now = datetime.now(UTC)
        self._usages: dict[Owner, OwnerUsage | None] = {}
        self._ledgers: dict[Owner, Ledger] = {}

    def usage(self, owner: Owner) -> OwnerUsage | None:
        """The owner's budget as it was last published; None where nothing is."""
        if owner not in self._usages:
            self._usages[owner] = published.read(self.cluster, owner) if self.cluster else None
        return self._usages[owner]

    def ledger(self, owner: Owner) -> Ledger:
        """What the owner holds: the ledger, or where we may not read it, the published budget."""
        if owner not in self._ledgers:
            self._ledgers[owner] = self._read_ledger(owner) if self.cluster else EMPTY
        return self._ledgers[owner]

    def groups_of(self, owner: Owner) -> tuple[str, ...]:
        """A user's groups, as far as limits name them, as they were when the user last asked."""
        if not owner.startswith("user:"):
            return ()
        if known := self.ledger(owner).groups:
            return known
        # The budget does not hold the user's groups, but the limit group that they led to.
        usage = self.usage(owner)
        group = self.world.groups.get(usage.status.group) if usage else None
        match = self.world.group_of(owner, ())
        if group is None or (match is not None and match[0].name == group.name):
            return ()
        return tuple(sorted(group.user_groups)[:1])

    def meet_namespace(self, name: str) -> None:
        """Take in a namespace's labels and annotations, which say who owns what controllers make in it."""
        if self.cluster is None:
            return
        try:
            meta = msgspec.json.decode(
                self.cluster.get(f"/api/v1/namespaces/{segment(name)}"), type=_Namespace
            )
        except NotFound:
            output.note(f"there is no namespace {name}")
        except Forbidden as error:
            output.note(f"the owner and labels of namespace {name} are not known: {error.message}")
        else:
            self.world.put_namespace(name, meta.metadata.labels, meta.metadata.annotations)

    def limits_of(self, owner: Owner, groups: tuple[str, ...]) -> Limits:
        """What is in force for an owner now."""
        return self.world.limits_of(owner, self.world.named_groups(groups), self.now)

    def holders(self, owner: Owner) -> list[Holder]:
        """The pods that hold most, and those that are not stored yet."""
        usage = self.usage(owner)
        largest = usage.status.pods if usage else ()
        held = [Holder(pod.namespace, pod.name, published.amounts(pod.uses)) for pod in largest]
        open_ = self.ledger(owner).reservations
        return held + [Holder(each.namespace, each.name, each.after) for each in open_ if each.uid]

    def _read_ledger(self, owner: Owner) -> Ledger:
        assert self.cluster is not None  # noqa: S101  for the type checker
        try:
            body = self.cluster.get(f"{_ROOT}/ownerledgers/{owners.object_name(owner)}")
            return encoding.decode(msgspec.json.decode(body, type=_Ledger).ledger)
        except NotFound:
            return EMPTY
        except Forbidden:
            usage = self.usage(owner)
            return EMPTY if usage is None else published.as_ledger(usage)
        except encoding.LedgerError as error:
            raise NoAnswer(f"the ledger of {owner} cannot be read: {error}") from error
