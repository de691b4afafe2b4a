"""The ledgers in the API server: the newest copy that is known of each, quorum reads, and compare-and-swap.

A copy comes from the watch or from our own last write, whichever is newer; a quorum read always replaces it, since
after a restore of etcd the truth may be older than the copy. A copy is where an admission starts, never why it refuses.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from labquota.api import API_VERSION
from labquota.kube import errors, versions
from labquota.kube.api import Api
from labquota.kube.meta import Metadata
from labquota.quota import encoding, owners
from labquota.quota.encoding import LedgerError
from labquota.quota.ledger import EMPTY, Ledger
from labquota.quota.owners import Owner

PATH: Final = f"/apis/{API_VERSION}/ownerledgers"


class _Object(msgspec.Struct, gc=False):
    metadata: Metadata
    owner: str = ""
    ledger: str = ""


class NameTaken(LedgerError):  # noqa: N818  names what is wrong
    """Two owners' names come out alike, as somebody may have sought: their budgets must not be mixed."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One owner's ledger at one resourceVersion."""

    owner: Owner
    ledger: Ledger
    version: str
    """Empty where the ledger is not stored yet."""
    uid: str = ""

    @property
    def exists(self) -> bool:
        """Whether it was read from the API server rather than made up as empty."""
        return bool(self.version)


_OBJECT: Final = msgspec.json.Decoder(_Object)


def decode(raw: msgspec.Raw | bytes) -> Stored:
    """A ledger as the API server sends it.

    Raises:
        labquota.quota.encoding.LedgerError: Its string was written by something else.
        msgspec.DecodeError: It is no OwnerLedger.
    """
    found = _OBJECT.decode(raw)
    meta = found.metadata
    return Stored(Owner(found.owner), encoding.decode(found.ledger), meta.resource_version, meta.uid)


def blank(owner: Owner) -> Stored:
    """The ledger of an owner that has none: to be created by the first swap."""
    return Stored(owner, EMPTY, "")


class Ledgers:
    """All owners' ledgers; the sink of the informer that watches them.

    Args:
        api: The API server.
        told: Called with an owner when a newer copy of their ledger is known.
    """

    def __init__(self, api: Api, told: Callable[[Owner], object] = id) -> None:
        self._api, self._told = api, told
        self.copies: dict[Owner, Stored] = {}

    def copy(self, owner: Owner) -> Stored | None:
        """The newest copy that is known, which may be behind the API server."""
        return self.copies.get(owner)

    def groups(self, owner: Owner) -> tuple[str, ...]:
        """The user's groups as their ledger remembers them."""
        stored = self.copies.get(owner)
        return stored.ledger.groups if stored else ()

    async def read(self, owner: Owner) -> Stored | None:
        """A quorum read: at least as new as the moment of the call. None where there is no ledger.

        Raises:
            KubeError: No answer, or not this one.
            LedgerError: The stored string cannot be read.
        """
        try:
            found = decode(await self._api.get(_path(owner)))
        except errors.NotFound:
            if self.copies.pop(owner, None):
                self._told(owner)
            return None
        if found.owner != owner:
            self.copies.pop(owner, None)
            raise NameTaken(
                f"the ledger of {owner[:80]} would be {owners.object_name(owner)}, which is that of "
                f"{found.owner[:80]}; one of the two needs another name"
            )
        known = self.copies.get(owner)
        self.copies[owner] = found
        if known is None or known.version != found.version:
            self._told(owner)  # the watch, which shows no version twice, will not tell of this one
        return found

    async def swap(self, stored: Stored, ledger: Ledger) -> Stored:
        """Write a ledger in place of the one that was read.

        Raises:
            Conflict: It has changed, been made or been removed since; read afresh and judge again.
            Unreachable: No answer; it may have been written.
            ApiError: The API server refuses it.
        """
        meta: dict[str, Any] = {"name": owners.object_name(stored.owner), "managedFields": [{}]}
        # An empty entry takes managedFields away for good: tracking who set one string costs a millisecond.
        body = {"apiVersion": API_VERSION, "kind": "OwnerLedger", "metadata": meta, "owner": stored.owner}
        body["ledger"] = encoding.encode(ledger)
        try:
            if stored.exists:
                meta["resourceVersion"], meta["uid"] = stored.version, stored.uid
                answer = await self._api.replace(_path(stored.owner), msgspec.json.encode(body))
            else:
                answer = await self._api.create(PATH, msgspec.json.encode(body))
        except (errors.AlreadyExists, errors.NotFound, errors.Conflict) as error:
            # The copy stays until it is read afresh: without it the user's groups would be forgotten meanwhile.
            raise errors.Conflict(error.status, error.reason, error.message) from error
        found = _OBJECT.decode(answer).metadata
        written = Stored(stored.owner, ledger, found.resource_version, found.uid)
        self._keep(written)
        return written

    async def remove(self, stored: Stored) -> None:
        """Remove a ledger, only if it is still the one that was read.

        Raises:
            Conflict: It is not.
            KubeError: No answer, or not this one.
        """
        conditions = {"uid": stored.uid, "resourceVersion": stored.version}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
        await self._api.delete(_path(stored.owner), msgspec.json.encode(body))
        self.copies.pop(stored.owner, None)

    def replaced(self, items: list[Stored], resource_version: str) -> None:
        """Take the whole set, whatever is known: after a restore of etcd the truth may be older than the copies.

        A write of our own that is newer than the list costs a conflict, and is read again.
        """
        del resource_version
        before = self.copies
        self.copies = {item.owner: item for item in items}
        for owner in {*before, *self.copies}:
            self._told(owner)

    def changed(self, kind: str, item: Stored, resource_version: str) -> None:
        """Take one change, unless a newer copy is known."""
        if kind != "DELETED":
            self._keep(item)
        elif (copy := self.copies.get(item.owner)) and not versions.newer(copy.version, resource_version):
            del self.copies[item.owner]
            self._told(item.owner)

    def progressed(self, resource_version: str) -> None:
        """Nothing to do: a copy's age does not matter."""

    def _keep(self, item: Stored) -> None:
        copy = self.copies.get(item.owner)
        if copy is None or versions.newer(item.version, copy.version):
            self.copies[item.owner] = item
            self._told(item.owner)


def _path(owner: Owner) -> str:
    return f"{PATH}/{owners.object_name(owner)}"
