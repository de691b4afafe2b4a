"""What happens in one history: data that can be printed, replayed and made smaller."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

DEEDS: Final = frozenset({"create", "resize", "end", "run", "limit"})
"""What users, the kubelet and the administrator do."""
WOES: Final = frozenset(
    {
        *("fault", "crash", "stop", "freeze", "hold", "cut", "slow"),
        *("silence", "break", "forget", "clock", "restore"),
    }
)
"""What goes wrong."""


@dataclass(frozen=True)
class Step:
    """One thing that happens.

    Attributes:
        at: seconds after everything has started.
        what: one of DEEDS or WOES.
        args: what it takes, by name.
    """

    at: float
    what: str
    args: dict[str, Any] = field(default_factory=dict)

    def but(self, **args: Any) -> "Step":
        """The same with other arguments."""
        return replace(self, args={**self.args, **args})

    def text(self) -> str:
        """For people."""
        words = " ".join(
            f"{key}={value}" for key, value in self.args.items() if value not in (False, None, 0.0)
        )
        return f"  at {self.at:8.4f} s  {self.what:8} {words}"


@dataclass(frozen=True)
class Plan:
    """One history before it has happened.

    Attributes:
        seed: of all that is left to chance: delays, order, jitter.
        steps: in the order of their time.
        limits: what everybody may hold at first.
        webhooks, operators: how many there are.
        create_seconds: labquota's setting, and how long an API server takes at the most.
        overdue: by how many seconds more an API server may break that assumption.
        fails_open: `failurePolicy: Ignore`.
        on_error: the group's `onError`.
        slowest: the most seconds that a message takes while nothing is wrong.
        lag: the most seconds that a watch cache is behind while nothing is wrong.
        cold: steps begin with the first start of the processes, not when all are ready.
        warm: an operator has folded everything, and has stopped; else none was ever there.
        probed: in the end it is tried whether all of a budget is to be had.
        reports: operators publish OwnerUsage, too.
        adopted: pods that are older than labquota: name, owner and what they ask for.
        name: of the profile.
    """

    seed: int
    steps: tuple[Step, ...]
    limits: dict[str, str]
    webhooks: int = 2
    operators: int = 2
    create_seconds: float = 44.0
    overdue: float = 0.0
    fails_open: bool = False
    on_error: str = "Deny"
    slowest: float = 0.004
    lag: float = 0.004
    cold: bool = False
    warm: bool = False
    probed: bool = True
    reports: bool = False
    adopted: tuple[tuple[str, str, dict[str, str]], ...] = ()
    name: str = ""

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong, and an operator has led for a while."""
        return not self.cold and not self.warm and all(step.what in DEEDS for step in self.steps)

    def text(self) -> str:
        """For people: what there is, and the steps."""
        parts = [f"{self.webhooks} webhooks, {self.operators} operators", f"limits {self.limits}"]
        parts.append(f"failurePolicy {'Ignore' if self.fails_open else 'Fail'}, onError {self.on_error}")
        parts.append(f"creates take {self.create_seconds:g} s at most, seed of delays {self.seed}")
        if self.warm:
            parts.append("an operator was there before")
        if self.cold:
            parts.append("from the first start")
        parts += [f"{name} of {owner} is older: {asks}" for name, owner, asks in self.adopted]
        return "\n".join(["; ".join(parts), *(step.text() for step in self.steps)])
