"""What may become of one call, and the calls for which that is planned."""

from dataclasses import dataclass
from typing import Final

WRITES: Final = frozenset({"create", "replace", "patch", "delete"})

LOST: Final = "lost"
"""It never arrives, and no answer comes."""
UNANSWERED: Final = "unanswered"
"""It is done; the connection dies before the answer."""
LATE: Final = "late"
"""It arrives after its caller has given up, and is done all the same."""
RESENT: Final = "resent"
"""It is done, its connection dies, the client sends it once more and hears the answer to that."""
BROKEN: Final = "broken"
"""500: it was not done."""
DOUBTFUL: Final = "doubtful"
"""504: it was done."""
BUSY: Final = "busy"
"""429 with Retry-After."""
CRASH_BEFORE: Final = "crash before"
"""The process dies as it is about to call."""
CRASH_AFTER: Final = "crash after"
"""The process dies when it has called: it is done, and nobody hears the answer."""

KINDS: Final = (LOST, UNANSWERED, LATE, RESENT, BROKEN, DOUBTFUL, BUSY)
CRASHES: Final = (CRASH_BEFORE, CRASH_AFTER)


@dataclass(slots=True)
class Fault:
    """What is to become of a call.

    Attributes:
        kind: one of the above.
        on: "read", "write" or "any": which calls count.
        skip: how many such calls pass before it.
        seconds: how late, where that matters.
    """

    kind: str
    on: str = "any"
    skip: int = 0
    seconds: float = 0.0

    def concerns(self, method: str) -> bool:
        """Whether a call by this method counts."""
        return self.on == "any" or (method in WRITES) == (self.on == "write")


def take(planned: list[Fault], method: str) -> Fault | None:
    """The fault of this call, if it is this one's turn; it is planned no more then."""
    for fault in planned:
        if fault.concerns(method):
            if fault.skip:
                fault.skip -= 1
            else:
                planned.remove(fault)
                return fault
    return None
