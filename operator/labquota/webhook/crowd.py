"""All connections of the server: how many there may be, what they may hold together, and who has to go.

Whoever reaches the port can open connections and send half a body on each. Their number and the memory that they take
are bounded, and room is made at the cost of those with whom the least is lost, so that the API server is still served.
"""

import asyncio
import heapq
from typing import Final, Protocol

MOST_CONNECTIONS: Final = 2048
"""An API server keeps 25 idle ones to a webhook. Each takes about 60 kB."""
MOST_HELD: Final = 128 * 1024 * 1024
"""Bytes of unfinished bodies, of all connections together."""
CROWDED: Final = "too many large AdmissionReviews arrive at once; try again"
_PART: Final = 64
"""Which part of all goes at once, so that looking for them costs each newcomer little."""


class Member(Protocol):
    """A connection, as far as the crowd looks at it."""

    due: float
    """The loop's time at which it has been waited for long enough."""
    held: int
    """Bytes of an unfinished body."""

    @property
    def standing(self) -> tuple[int, float]:
        """How much would be lost with it, and since when."""
        ...

    def refuse(self, why: str) -> None:
        """Answer without the rest of the body."""
        ...

    def retire(self) -> None:
        """End it, unless a request is under way."""
        ...

    def expire(self) -> None:
        """It has been waited for long enough."""
        ...

    def abort(self) -> None:
        """End it at once."""
        ...


class Crowd:
    """The connections of one server.

    Args:
        most: The most of them.
        most_held: The most bytes of unfinished bodies.

    Attributes:
        leaving: Whether the server is to end, so that each answer is the last of its connection.
        emptied: Set while there is no connection.
    """

    def __init__(self, most: int = MOST_CONNECTIONS, most_held: int = MOST_HELD) -> None:
        self._most, self._most_held = most, most_held
        self._members: set[Member] = set()
        self._held = 0
        self.leaving = False
        self.emptied = asyncio.Event()
        self.emptied.set()

    def __len__(self) -> int:
        return len(self._members)

    def join(self, member: Member) -> None:
        """Take in a newcomer, at the cost of others where there are too many."""
        self._members.add(member)
        self.emptied.clear()
        if len(self._members) > self._most:
            victims = heapq.nsmallest(1 + self._most // _PART, self._members, key=_standing)
            lowest = victims[0].standing[0]
            for victim in victims:
                if victim.standing[0] == lowest:
                    self.leave(victim)
                    victim.abort()

    def leave(self, member: Member) -> None:
        """Forget one that is gone."""
        self.hold(member, 0)
        self._members.discard(member)
        if not self._members:
            self.emptied.set()

    def hold(self, member: Member, size: int) -> None:
        """Note what a connection holds. Where all hold too much together, those go without who have held it longest."""
        self._held += size - member.held
        member.held = size
        while self._held > self._most_held:
            longest = min((each for each in self._members if each.held), key=_standing)
            longest.refuse(CROWDED)

    def expire(self, now: float) -> None:
        """End those that have been waited for long enough."""
        for member in [each for each in self._members if each.due <= now]:
            member.expire()

    def retire(self) -> None:
        """End those that wait for nothing."""
        for member in list(self._members):
            member.retire()

    def abort(self) -> None:
        """End all."""
        for member in list(self._members):
            member.abort()


def _standing(member: Member) -> tuple[int, float]:
    return member.standing
