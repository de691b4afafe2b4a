"""Which reservations the view of pods answers, so that they may leave their ledger with the next fold."""

from collections.abc import Collection

from labquota.controllers.pods import Pods
from labquota.kube import versions
from labquota.quota.advances import Advance
from labquota.quota.ledger import Reservation
from labquota.quota.owners import Owner

Key = tuple[str, str, str]
"""A reservation's pod uid, the resourceVersion that it replaces and the review that asked for it.

Two resizes of one pod may replace the same version, and the later one must not end with the earlier one's clock.
"""


def key(reservation: Reservation) -> Key:
    """What tells reservations apart."""
    return reservation.uid, reservation.version, reservation.review


def key_of(advance: Advance) -> Key:
    """What tells advances apart, from each other and from reservations."""
    return "", "", advance.id


def is_settled(reservation: Reservation, owner: Owner, view: Pods, given_up: Collection[Key]) -> bool:
    """Whether a reservation in an owner's ledger has nothing to say any more.

    A create is settled when the view has charged the pod, or the hold, to this owner, or has seen it end. A resize is
    settled when the view shows the pod at a newer resourceVersion than the one before, or gone: the API server
    compares against that version, so either this was the write or it can never be stored. What the view does not
    answer may be given up by whoever has made sure.
    """
    pod = view.find(reservation.uid)
    if pod is None:
        answered = view.has_ended(reservation.uid)
    elif reservation.creates:
        answered = pod.owner == owner
    else:
        answered = versions.newer(pod.version, reservation.version)
    return answered or key(reservation) in given_up
