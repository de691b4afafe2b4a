"""What was seen of a storm: the versions of pods and ledgers, and what the API servers' audit logs say of requests.

All of it came from API servers: two watches, and their audit logs. The checker is given this and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storm.charges import Amounts

__all__ = ["History", "LedgerSeen", "PodSeen", "Request"]


@dataclass(frozen=True)
class PodSeen:
    """One version of a pod, or its end."""

    version: int
    uid: str
    place: str
    """`NAMESPACE/NAME`."""
    owner: str
    """Whose stamp it carries; empty without one."""
    holds: Amounts
    """Nothing where it has finished or is gone."""
    gone: bool = False


@dataclass(frozen=True)
class LedgerSeen:
    """One version of an owner's ledger, or its end."""

    version: int
    owner: str
    total: Amounts
    """All that the ledger charges; nothing where it is gone."""
    reserved: tuple[str, ...] = ()
    """The uids of the pods that reservations are open for."""
    text: str = ""
    """The ledger as it is stored."""
    gone: bool = False


@dataclass(frozen=True)
class Request:
    """A request to create or resize a pod, or to delete one, as an API server answered it."""

    verb: str
    """`create`, `resize` or `delete`."""
    place: str
    """`NAMESPACE/NAME`."""
    code: int
    uid: str = ""
    """Of the pod in the answer; empty in one that refuses."""
    version: int = 0
    """Of the pod in the answer."""
    unjudged: str = ""
    """Why the webhook did not judge it, where it did not."""
    dry_run: bool = False
    message: str = ""
    """What a refusal said."""


@dataclass
class History:
    """One storm.

    Attributes:
        limits: the most that each owner may hold.
        pods: every version, in order.
        ledgers: likewise.
        requests: in any order; those are missing that an API server was killed over.
        stored: the ledgers as they were read in the end, after quiet.
        lost: why moments may have gone unseen; empty where none have.
    """

    limits: Mapping[str, Amounts]
    pods: Sequence[PodSeen] = ()
    ledgers: Sequence[LedgerSeen] = ()
    requests: Sequence[Request] = ()
    stored: Sequence[LedgerSeen] = ()
    lost: Sequence[str] = field(default_factory=list)
