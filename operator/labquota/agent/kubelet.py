"""What the kubelet has said last, and whether it still says so."""

import logging
from collections.abc import Callable

from labquota.agent.conditions import POD_RESOURCES, Statement
from labquota.agent.podresources import Grant, Offer, PodResources, PodResourcesError

log = logging.getLogger(__name__)


class Kubelet:
    """Its latest answers.

    Args:
        path: Of its PodResources socket.

    Attributes:
        offered: What device plugins offer.
        granted: Which container was given what.
        started: The UIDs of pods that the kubelet had taken before it was asked.
        answers: Whether all of this is of the latest question.
        said: The same as a condition.
    """

    def __init__(self, path: str) -> None:
        self.offered: list[Offer] = []
        self.granted: list[Grant] = []
        self.started: frozenset[str] = frozenset()
        self.answers = False
        self.said = Statement(POD_RESOURCES, "Unknown", "NotAsked", "the kubelet has not been asked yet")
        self._socket = PodResources(path)

    async def ask(self, started: Callable[[], frozenset[str]]) -> None:
        """Ask it.

        Args:
            started: The UIDs of pods that it has taken.
        """
        before = started()  # first: who is taken later is not meant by the answer
        try:
            offered, granted = await self._socket.offered(), await self._socket.given()
        except PodResourcesError as error:
            said = Statement(POD_RESOURCES, "False", error.reason, str(error))
            if said != self.said:
                log.warning("%s", said.message, extra={"reason": said.reason})
            self.answers, self.said = False, said
        else:
            self.offered, self.granted, self.started = offered, granted, before
            self.answers = True
            self.said = Statement(POD_RESOURCES, "True", "Answered", "the kubelet says who holds what")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
