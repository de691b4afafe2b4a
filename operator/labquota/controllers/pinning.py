"""Pods that came without an owner's stamp get the resolved one, so that a deleted maker does not move the charge.

They came before labquota did, while nobody stamped, or from a controller whose own object was never stamped. Until then
their namespace's owner is charged, or the service account that made them.
"""

import asyncio
import logging
from typing import Final
from urllib.parse import quote

import msgspec

from labquota import metrics
from labquota.controllers.charges import Charge
from labquota.controllers.pacing import Pace, Rank
from labquota.controllers.pods import Pods
from labquota.kube import errors
from labquota.kube.api import Api
from labquota.kube.lineage import Lineage, Unresolved
from labquota.quota import owners, pods
from labquota.quota.owners import OWNER_ANNOTATION, Owner
from labquota.quota.stamping import USER_LABEL, label_of

log = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 10.0


class Pins:
    """Pins owners on pods, one at a time, behind everything else that the operator writes.

    Args:
        api: The API server.
        view: Which pods there are.
        lineage: Where references lead.
        pace: The operator's budget of writes.
    """

    def __init__(self, api: Api, view: Pods, lineage: Lineage, pace: Pace) -> None:
        self._api, self._view, self._lineage, self._pace = api, view, lineage, pace
        self._waiting: dict[str, None] = {}
        self._told = asyncio.Event()

    def note(self, charge: Charge) -> None:
        """A pod is in the view whose stamp may be missing or provisional."""
        if is_open(charge):
            self._add(charge.uid)

    async def run(self) -> None:
        """Pin while this operator leads, those first that are there already."""
        for charge in list(self._view.everything()):
            self.note(charge)
        while True:
            await self._told.wait()
            self._told.clear()
            while self._waiting:
                uid = next(iter(self._waiting))
                del self._waiting[uid]
                await self._try(uid)

    async def _try(self, uid: str) -> None:
        charge = self._view.find(uid)
        if charge is None or not is_open(charge):
            return
        try:
            await self._pin(charge)
        except (Unresolved, errors.KubeError, msgspec.DecodeError) as error:
            where = f"{charge.namespace}/{charge.name}"
            log.warning("an owner cannot be pinned", extra={"pod": where, "error": str(error)})
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._add, uid)

    def _add(self, uid: str) -> None:
        self._waiting[uid] = None
        self._told.set()

    async def _pin(self, charge: Charge) -> None:
        path = f"/api/v1/namespaces/{quote(charge.namespace)}/pods/{quote(charge.name)}"
        try:
            meta = pods.decode(await self._api.get(path)).metadata
        except errors.NotFound:
            return
        if meta.uid != charge.uid:
            return
        owner = await self._owner(charge.namespace, meta)
        if owner is None:
            return
        patch = {"uid": meta.uid, "annotations": {OWNER_ANNOTATION: owner}, "labels": {}}
        if label := label_of(owner):
            patch["labels"] = {USER_LABEL: label}
        await self._pace.turn(Rank.REPORT)
        try:
            await self._api.patch(path, msgspec.json.encode({"metadata": patch}))
        except (errors.NotFound, errors.Conflict):
            return  # it is gone; another one may have its name
        metrics.PINNED.inc()

    async def _owner(self, namespace: str, meta: pods.Metadata) -> Owner | None:
        """The owner to pin; None where the stamp is final."""
        stamp = owners.named(meta.annotations)
        if stamp is None:
            return (await self._lineage.of_made(namespace, meta)).owner
        if owners.kind(stamp) != "ServiceAccount":
            return None
        found = (await self._lineage.of_account(*owners.account(stamp))).owner
        return found if found != stamp else None


def is_open(charge: Charge) -> bool:
    """Whether a pod's owner may be another than its stamp says."""
    return charge.charged and (not charge.stamped or charge.owner.startswith("serviceaccount:"))
