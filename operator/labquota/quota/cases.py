"""What is handed on along the path of one pod: the request, what follows from it, and the answer."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from labquota.api import AllocationDevice
from labquota.quota.access import Access
from labquota.quota.amounts import Amounts
from labquota.quota.ledger import Reservation
from labquota.quota.limits import Limits
from labquota.quota.lookups import Facts, Lookup
from labquota.quota.owners import Owner
from labquota.quota.pods import Metadata, Pod
from labquota.quota.verdict import Cause, Exceeded, Refused

MIRROR_ANNOTATION: Final = "kubernetes.io/config.mirror"
_NODE: Final = "system:node:"


class Hold(msgspec.Struct, frozen=True):
    """What somebody asks to be kept for them."""

    owner: str
    """Who is to pay, as it is written."""
    devices: tuple[AllocationDevice, ...] = ()
    expires_at: datetime | None = None


class Request(msgspec.Struct, frozen=True):
    """What one AdmissionReview asks, as far as the decision reads it."""

    uid: str
    operation: Literal["CREATE", "UPDATE"]
    username: str
    groups: tuple[str, ...]
    namespace: str
    name: str
    pod: Pod
    old_pod: Pod | None = None
    dry_run: bool = False
    hold: Hold | None = None
    """Devices to be kept without a pod; of `pod` only the metadata are there then."""
    owner: Owner | None = None
    """Whose the pod is by what other objects say; None where its own stamp or its namespace is enough."""
    access: Access | None = None
    """What could lead to GPUs that it does not ask for; None where nothing could."""
    facts: Facts = {}
    """What was read of other objects, to judge that."""

    @property
    def stored(self) -> Metadata:
        """The metadata that says whose it is: of a pod that exists, what is stored and not what is sent."""
        return (self.pod if self.old_pod is None else self.old_pod).metadata

    @property
    def is_mirror(self) -> bool:
        """Whether it is a static pod, shown by its node: the annotation alone is a user's claim."""
        return self.username.startswith(_NODE) and MIRROR_ANNOTATION in self.pod.metadata.annotations


class Case(msgspec.Struct, frozen=True):
    """A request with all that follows from it and the world, without the ledger."""

    request: Request
    owner: Owner
    limits: Limits
    grows: Amounts
    reservation: Reservation
    user_groups: tuple[str, ...] | None = None
    """The requester's groups that some limit names; None where the owner is not the requester."""
    refusals: tuple[Refused, ...] = ()
    over_per_pod: tuple[Exceeded, ...] = ()
    told: tuple[Refused, ...] = ()
    """What is wrong with it and only told, whatever else becomes of it."""
    unread: tuple[Lookup, ...] = ()
    """What has to be read before it can be judged; then it is examined again."""
    stamped: bool = True
    new_groups: bool = False
    """The requester's groups are others than the ledger remembers."""

    @property
    def is_mirror(self) -> bool:
        """Whether it is a static pod, which is charged and never refused."""
        return self.request.is_mirror

    @property
    def needs_ledger(self) -> bool:
        """Whether the aggregate layer has anything to say, so that the request is to be judged and reserved."""
        if self.refusals and self.limits.enforcement == "Enforce":
            return False
        return self.is_counted or self.new_groups

    @property
    def is_counted(self) -> bool:
        """Whether what it asks is compared with the aggregate limits and reserved."""
        return self.limits.reserves and bool(self.grows)


class Verdict(msgspec.Struct, frozen=True):
    """The answer: allowed, or every reason why not."""

    allowed: bool
    causes: tuple[Cause, ...] = ()
    nearly: tuple[Exceeded, ...] = ()
    reservation: Reservation | None = None
    """What is to be written before the answer is given."""
    open_reservations: int = 0
    warned: bool = False
    """Allowed only because the group's enforcement is Warn."""
