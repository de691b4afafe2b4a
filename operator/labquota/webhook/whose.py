"""Whose pod a request is about, where its stamp does not say: by reads of other objects.

Most pods carry their owner when they come here. What is left: a controller's pod whose makers were never stamped, and a
service account's, whose account may belong to somebody.
"""

import msgspec

from labquota.kube.lineage import Lineage
from labquota.quota import owners
from labquota.quota.cases import Request
from labquota.quota.trust import Trust


class Whose:
    """Finds the owners of pods.

    Args:
        trust: Whom to believe.
        lineage: Where references lead.
    """

    def __init__(self, trust: Trust, lineage: Lineage) -> None:
        self._trust, self._lineage = trust, lineage

    def is_clear(self, request: Request) -> bool:
        """Whether the pod's own stamp or its namespace says whose it is; or the hold itself, of which a person pays."""
        if request.hold is not None:
            return not _names_account(request.hold.owner)
        if request.operation == "CREATE" and self._account(request) is not None:
            return False
        meta = request.stored
        stamp = owners.named(meta.annotations)
        if stamp is None:
            return meta.maker is None
        return (
            owners.kind(stamp) != "ServiceAccount"
        )  # which is the stamp until somebody finds whose the account is

    async def resolve(self, request: Request) -> Request:
        """The request with the pod's owner.

        Raises:
            Unresolved: Something cannot be read.
        """
        if request.hold is not None:
            found = await self._lineage.of_account(*owners.account(owners.parse(request.hold.owner)))
        elif request.operation == "CREATE" and (account := self._account(request)) is not None:
            found = await self._lineage.of_account(*account)
        elif stamp := owners.named(request.stored.annotations):
            found = await self._lineage.of_account(*owners.account(stamp))
        else:
            found = await self._lineage.of_made(request.namespace, request.stored)
        return msgspec.structs.replace(request, owner=found.owner)

    def _account(self, request: Request) -> tuple[str, str] | None:
        """The service account that makes a pod for itself."""
        account = owners.service_account(request.username)
        return account if account and self._trust.role(request.username) == "person" else None


def _names_account(owner: str) -> bool:
    """Whether a text names a service account, whose owner may be somebody else; what names nobody is refused later."""
    try:
        return owners.kind(owners.parse(owner)) == "ServiceAccount"
    except owners.OwnerError:
        return False
