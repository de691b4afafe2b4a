"""Where a controller reference leads, and whose a service account is: live reads, remembered for a while.

    pod ──controller reference, UID checked──► ReplicaSet ──► … ──► the first object with a stamp that counts
     └─ none, or nothing there ──► its service account's owner ──► its namespace's ──► the account or the namespace

Whatever cannot be read is an error that says so: a budget is not charged to somebody else because a right is missing.
"""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from labquota.clock import Clock
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.kinds import Kind, Kinds
from labquota.quota import owners
from labquota.quota.owners import Owner
from labquota.quota.pods import Metadata, Reference
from labquota.quota.trust import Trust

_DEEPEST: Final = 64
_MOST: Final = 10_000
_KEPT_SECONDS: Final = 60.0
_MISSING_SECONDS: Final = 1.0


class _Object(msgspec.Struct, gc=False):
    metadata: Metadata = msgspec.field(default_factory=Metadata)


class Resolved(msgspec.Struct, frozen=True):
    """An owner, and how it was found, a sentence a step."""

    owner: Owner
    steps: tuple[str, ...]


class Top(msgspec.Struct, frozen=True):
    """The uppermost object that controller references lead to."""

    reference: Reference
    namespaced: bool


class Unresolved(Exception):  # noqa: N818  names what is wrong
    """An owner cannot be told since something cannot be read; the message says what, and what to do."""


_OBJECT: Final = msgspec.json.Decoder(_Object)


class Lineage:
    """Finds the owner of what carries no stamp.

    Args:
        api: The API server.
        clock: For how long something is remembered.
        trust: Which kinds' stamps count, and the administrator's word on service accounts.
        namespaces: The annotations of a namespace.
    """

    def __init__(
        self, api: Api, clock: Clock, trust: Trust, namespaces: Callable[[str], Mapping[str, str]]
    ) -> None:
        self._api, self._clock, self._trust, self._namespaces = api, clock, trust, namespaces
        self._kinds = Kinds(api, clock)
        self._known: dict[str, tuple[float, Metadata | None]] = {}

    async def of_made(self, namespace: str, made: Metadata) -> Resolved:
        """The owner of what a controller made.

        Raises:
            Unresolved: As `of_account`.
        """
        steps: list[str] = []
        owner = await self._top(namespace, made, steps)
        if owner is not None and owners.kind(owner) == "ServiceAccount":  # whose it is was not known yet
            found = await self.of_account(*owners.account(owner))
            return Resolved(found.owner, (*steps, *found.steps))
        return self._or_namespace(owner, namespace, steps)

    async def top(self, namespace: str, made: Metadata) -> Top | None:
        """The workload that people know of what a controller made, as far up as can be read; None if its maker is gone.

        Raises:
            Unresolved: The kind of a maker cannot be looked up now.
        """
        top, seen = None, {made.uid}
        for _ in range(_DEEPEST):
            reference = made.maker
            if reference is None or reference.uid in seen:
                break
            seen.add(reference.uid)
            kind = await self.kind(reference)
            if kind is None:
                break
            try:
                found = await self._read(kind.path(namespace, reference.name), kind.name, reference.uid)
            except Unresolved:  # what it is called is known all the same
                return Top(reference, kind.namespaced)
            if found is None or found.uid != reference.uid:
                break
            top, made = Top(reference, kind.namespaced), found
        return top

    async def of_account(self, namespace: str, account: str) -> Resolved:
        """The owner of what a service account makes: the account's own.

        Raises:
            Unresolved: Something cannot be read.
        """
        steps: list[str] = []
        seen: set[str] = set()
        exists, owner = True, None
        while (place := f"{namespace}/{account}") not in seen:
            seen.add(place)
            exists, owner = await self._account(namespace, account, steps)
            if owner is None or owners.kind(owner) != "ServiceAccount":
                break
            namespace, account = owners.account(owner)
            owner = None
        if owner is None and exists and owners.named(self._namespaces(namespace)) is None:
            owner = Owner(f"serviceaccount:{namespace}/{account}")
            steps.append("neither it nor its namespace has an owner: it pays itself")
        # one that is not there is anybody's to invent: whoever may impersonate accounts needs none to exist
        return self._or_namespace(owner, namespace, steps)

    def _or_namespace(self, owner: Owner | None, namespace: str, steps: list[str]) -> Resolved:
        if owner is None:
            annotations = self._namespaces(namespace)
            owner = owners.of_namespace(namespace, annotations)
            said = "belongs to" if owners.named(annotations) else "has no owner:"
            steps.append(f"namespace {namespace} {said} {owner}")
        return Resolved(owner, tuple(steps))

    async def _top(self, namespace: str, made: Metadata, steps: list[str]) -> Owner | None:
        """The first stamp that counts on the way up."""
        seen = {made.uid}
        for _ in range(_DEEPEST):
            reference = made.maker
            if reference is None:
                steps.append("no controller reference")
                return None
            what = f"{reference.kind} {reference.name}"
            if reference.uid in seen:
                steps.append(f"{what} leads back to where it came from")
                return None
            seen.add(reference.uid)
            kind = await self.kind(reference)
            if kind is None:
                steps.append(f"{what}: no such kind here ({reference.api_version})")
                return None
            found = await self._read(kind.path(namespace, reference.name), kind.name, reference.uid)
            if found is None or found.uid != reference.uid:
                steps.append(f"{what} is not there any more")
                return None
            made = found
            if not self._trust.stamps(kind.name):
                steps.append(f"{what} (kind {kind.name} is not stamped)")
            elif stamp := owners.named(made.annotations):
                steps.append(f"{what} is stamped {stamp}")
                return stamp
            else:
                steps.append(f"{what} has no stamp")
        return None

    async def kind(self, reference: Reference) -> Kind | None:
        """The kind of what a reference leads to; None where there is no such kind.

        Raises:
            Unresolved: It cannot be looked up now.
        """
        try:
            return await self._kinds.find(reference.api_version, reference.kind)
        except (errors.KubeError, msgspec.DecodeError) as error:
            raise Unresolved(f"{reference.api_version} cannot be looked up: {error}") from error

    async def _account(self, namespace: str, account: str, steps: list[str]) -> tuple[bool, Owner | None]:
        """Whether a service account exists, and its owner."""
        name = f"{namespace}/{account}"
        if owner := self._trust.accounts.get(name):
            steps.append(f"service account {name} belongs to {owner} by the settings")
            return True, owner
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(account, safe='')}"
        found = await self._read(path, "serviceaccounts")
        owner = None if found is None else owners.named(found.annotations)
        said = f"belongs to {owner}" if owner else ("is not there" if found is None else "has no owner")
        steps.append(f"service account {name} {said}")
        return found is not None, owner

    async def _read(self, path: str, kind: str, uid: str = "") -> Metadata | None:
        """An object's metadata; read afresh where another of the same name is remembered, or that there was none."""
        now = self._clock.monotonic()
        until, found = self._known.get(path, (0.0, None))
        if now < until and uid in ("", "" if found is None else found.uid):
            return found
        try:
            found = _OBJECT.decode(await self._api.get(path)).metadata
        except errors.NotFound:
            found = None
        except errors.ApiError as error:
            if error.status == 403:
                raise Unresolved(
                    f"{kind} may not be read: list it under `kinds` in the owners' settings, and apply what "
                    f"`labquota policies` prints ({error.message})"
                ) from error
            raise Unresolved(f"{kind} cannot be read: {error}") from error
        except (errors.KubeError, msgspec.DecodeError) as error:
            raise Unresolved(f"{kind} cannot be read: {error}") from error
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[path] = now + (_MISSING_SECONDS if found is None else _KEPT_SECONDS), found
        return found
