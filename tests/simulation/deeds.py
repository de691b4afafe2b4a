"""One request of a user, from its beginning to what came of it, and what was answered meanwhile."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from simulation import demands
from simulation.demands import Amounts
from simulation.paths import Key
from simulation.store import Body, Item


class _Cause(msgspec.Struct, gc=False):
    reason: str = ""
    field: str = ""
    message: str = ""


class _Details(msgspec.Struct, gc=False):
    causes: list[_Cause] = []


class _Status(msgspec.Struct, gc=False):
    message: str = ""
    details: _Details = msgspec.field(default_factory=_Details)


class _Response(msgspec.Struct, gc=False):
    allowed: bool
    status: _Status = msgspec.field(default_factory=_Status)
    warnings: list[str] = []


class _Review(msgspec.Struct, gc=False):
    response: _Response


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a replica said.

    Attributes:
        allowed: whether the request may go on.
        checked: whether it was judged: False where something was broken.
        codes: of a refusal.
        keys: that it names.
        text: in a few words.
    """

    allowed: bool
    checked: bool
    codes: frozenset[str]
    keys: frozenset[str]
    text: str


NO_ANSWER: Final = Answer(allowed=False, checked=False, codes=frozenset(), keys=frozenset(), text="no answer")
_DECODE: Final = msgspec.json.Decoder(_Review).decode
_BROKEN: Final = frozenset({"BUDGET_UNAVAILABLE"})


def read(body: bytes) -> Answer:
    """A replica's answer."""
    said = _DECODE(body).response
    if said.allowed:
        unchecked = [line for line in said.warnings if "did not check" in line]
        text = unchecked[0] if unchecked else "allowed"
        return Answer(allowed=True, checked=not unchecked, codes=frozenset(), keys=frozenset(), text=text)
    causes = said.status.details.causes
    codes, keys = frozenset(cause.reason for cause in causes), frozenset(cause.field for cause in causes)
    text = f"refused: {said.status.message}"
    return Answer(allowed=False, checked=not codes & _BROKEN, codes=codes, keys=keys, text=text)


@dataclass(eq=False)
class Deed:
    """A create or a resize of a pod.

    Attributes:
        kind: "create" or "resize".
        key: of the pod.
        owner: whom the pod belongs to.
        user: who asks.
        asks: what the pod asks for, or from now on.
        late: seconds between the webhook's answer and the store.
        dropped: it is not stored after all.
        dry_run: it is never to be stored.
        stale: a resize begins with the API server's cached copy.
        twice: the same review is sent once more.
        unheard: the webhook's answer is lost.
        to: which replica is asked; None for any.
    """

    kind: str
    key: Key
    owner: str
    asks: dict[str, str]
    user: str = ""
    late: float = 0.0
    dropped: bool = False
    dry_run: bool = False
    stale: bool = False
    twice: bool = False
    unheard: bool = False
    to: int | None = None
    began: float = 0.0
    uid: str = ""
    replica: str = ""
    seen_limits: int = 0
    """Up to which version its replica knew of groups when it was asked first."""
    outcome: str = ""
    before: Amounts = field(default_factory=dict)
    after: Amounts = field(default_factory=dict)
    asked_at: float = 0.0
    answered_at: float = -1.0
    answer: Answer = NO_ANSWER
    item: Item | None = None

    def asked(self, now: float, body: Body, old: Body | None) -> None:
        """The webhook is asked."""
        self.asked_at, self.answered_at = now, -1.0
        self.after = demands.asked(body)
        self.before = demands.held(old) if old is not None else {}

    def answered(self, now: float, answer: Answer) -> None:
        """The webhook has answered, or time is over."""
        self.answered_at, self.answer = now, answer

    def stored(self, item: Item) -> None:
        """It is done."""
        self.item, self.outcome = item, "stored"

    def end(self, outcome: str) -> None:
        """Nothing came of it."""
        self.outcome = outcome

    @property
    def grows(self) -> Amounts:
        """What it asks for more than there was."""
        return {key: amount for key, amount in self.after.items() if amount > self.before.get(key, 0)}
