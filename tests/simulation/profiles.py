"""What random histories are made of: each profile is a mixture of requests and misfortunes."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

from simulation import faults
from simulation.plan import Plan, Step

GPU, CPU = "nvidia.com/gpu", "cpu"
OWNERS: Final = ("user:alice", "user:bob")
NAMES: Final = "abcdef"
WATCHED: Final = ("pods", "ownerledgers", "leases", "resourcelimitgroups", "/")
"""What goes silent: watches whose collection has this in its path."""


@dataclass(frozen=True)
class Profile:
    """How likely what is.

    Attributes:
        deeds: the fewest and the most requests of users and changes of their pods.
        woes: the fewest and the most misfortunes.
        seconds: the longest that all of this takes.
        mixture: weights of deeds.
        misfortunes: weights of misfortunes.
        late: how likely a pod is stored as late as can be.
        dropped: how likely it is never stored.
        limits: what is limited; one is chosen.
        burst: how likely a deed comes right after the one before.
    """

    deeds: tuple[int, int] = (3, 9)
    woes: tuple[int, int] = (0, 4)
    seconds: float = 6.0
    mixture: dict[str, float] = field(
        default_factory=lambda: {"create": 6.0, "end": 2.0, "resize": 1.0, "run": 0.5, "limit": 0.3}
    )
    misfortunes: dict[str, float] = field(
        default_factory=lambda: {
            "fault": 4.0,
            "crash": 2.0,
            "freeze": 1.5,
            "hold": 1.5,
            "cut": 1.0,
            "slow": 1.0,
            "silence": 1.0,
            "break": 1.0,
            "forget": 0.7,
            "stop": 0.5,
            "clock": 0.5,
        }
    )
    late: float = 0.15
    dropped: float = 0.15
    owners: int = 2
    limits: tuple[dict[str, str], ...] = (
        {"gpu": "3"},
        {"gpu": "3"},
        {"gpu": "3", "requests.cpu": "6"},
        {"requests.cpu": "4", "pods": "4"},
        {"gpu": "40"},
        {"gpu": "30", "pods": "60"},
    )
    create_seconds: tuple[float, ...] = (6.0, 6.0, 44.0)
    burst: float = 0.6
    cold: float = 0.1
    warm: float = 0.6
    """How likely an operator was there before."""
    adopted: int = 0
    """The most pods that are older than labquota."""


PROFILES: Final = {
    "mixed": Profile(),
    "calm": Profile(woes=(0, 0), deeds=(4, 12), warm=0.0),
    "calls": Profile(woes=(1, 4), misfortunes={"fault": 1.0}),
    "crashes": Profile(woes=(1, 3), misfortunes={"crash": 2.0, "fault": 1.0, "stop": 1.0}, late=0.3),
    "stale": Profile(
        woes=(1, 3),
        misfortunes={"hold": 2.0, "silence": 1.0, "slow": 1.0, "cut": 1.0, "forget": 0.5},
        late=0.3,
    ),
    "takeover": Profile(
        woes=(1, 3),
        misfortunes={"freeze": 2.0, "cut": 2.0, "stop": 1.0, "crash": 1.0},
        seconds=25.0,
        late=0.4,
    ),
    "resizes": Profile(
        mixture={"create": 3.0, "resize": 6.0, "end": 1.0, "run": 1.0},
        limits=({"requests.cpu": "6"}, {"requests.cpu": "40"}),
        late=0.3,
        owners=1,
    ),
    "handover": Profile(
        deeds=(4, 10),
        woes=(2, 4),
        misfortunes={"hold": 2.0, "silence": 1.0, "stop": 2.0, "crash": 1.0, "freeze": 1.0},
        seconds=20.0,
        late=0.3,
    ),
    "beginning": Profile(adopted=4, cold=1.0, woes=(0, 2)),
    "churn": Profile(
        woes=(0, 0),
        warm=0.0,
        deeds=(10, 18),
        mixture={"create": 5.0, "end": 4.0},
        late=0.0,
        dropped=0.05,
        owners=1,
        seconds=9.0,
        limits=({"gpu": "3"}, {"gpu": "3", "requests.cpu": "6"}),
        create_seconds=(6.0,),
    ),
    "lost": Profile(dropped=0.5, late=0.4, woes=(0, 3), create_seconds=(6.0,), seconds=14.0),
    "restore": Profile(misfortunes={"restore": 1.0}, woes=(1, 1), seconds=14.0, cold=0.0),
}


def plan(profile: Profile, seed: int, name: str = "") -> Plan:
    """The plan that a seed means in a profile."""
    return _Planner(profile, seed, name).plan()


class _Planner:
    def __init__(self, profile: Profile, seed: int, name: str) -> None:
        self._profile, self._seed, self._name = profile, seed, name
        self._rng = random.Random(seed * 2 + 1)
        self._limits = self._rng.choice(profile.limits)
        self._create_seconds = self._rng.choice(profile.create_seconds)
        self._webhooks = self._rng.choice((1, 2, 2, 2, 3))
        self._operators = self._rng.choice((1, 2, 2))

    def plan(self) -> Plan:
        """All of it."""
        rng, profile = self._rng, self._profile
        seconds = rng.random() ** 2 * profile.seconds
        steps = []
        at = 0.0
        for _ in range(rng.randint(*profile.deeds)):
            at = min(seconds, at + rng.random() * (0.01 if rng.random() < profile.burst else seconds / 2))
            steps.append(Step(round(at, 4), *self._deed()))
        for _ in range(rng.randint(*profile.woes)):
            near = (
                rng.choice(steps).at + rng.random() * 0.02 if rng.random() < 0.5 else rng.random() * seconds
            )
            steps.append(Step(round(near, 4), *self._woe()))
        return Plan(
            seed=self._seed,
            steps=tuple(sorted(steps, key=lambda step: step.at)),
            limits=self._limits,
            webhooks=self._webhooks,
            operators=self._operators,
            create_seconds=self._create_seconds,
            fails_open=rng.random() < 0.2,
            on_error="Allow" if rng.random() < 0.2 else "Deny",
            slowest=rng.choice((0.002, 0.004, 0.02)),
            lag=rng.choice((0.002, 0.01, 0.1)),
            cold=rng.random() < profile.cold,
            reports=rng.random() < 0.05,
            warm=not profile.adopted and rng.random() < profile.warm,
            probed=rng.random() < 0.4,
            adopted=self._adopted(),
            name=self._name,
        )

    def _adopted(self) -> tuple[tuple[str, str, dict[str, str]], ...]:
        count = self._rng.randint(0, self._profile.adopted)
        return tuple((f"old-{number}", OWNERS[0], self._asks()) for number in range(count))

    def _deed(self) -> tuple[str, dict[str, Any]]:
        rng = self._rng
        what = _one(rng, self._profile.mixture)
        name = rng.choice(NAMES)
        if what == "end":
            return what, {"name": name, "how": rng.choice(("delete", "delete", "Succeeded", "Failed"))}
        if what == "run":
            return what, {"name": name}
        if what == "limit":
            return what, {
                "limits": {
                    key: str(max(1, int(text) + rng.randint(-2, 2))) for key, text in self._limits.items()
                }
            }
        owner = OWNERS[0] if rng.random() < 0.75 else OWNERS[self._profile.owners - 1]
        args: dict[str, Any] = {"name": name, "owner": owner}
        args["asks"] = self._asks() if what == "create" else {CPU: str(rng.randint(0, 4))}
        if rng.random() < self._profile.late:
            args["late"] = round(rng.choice((0.5, self._create_seconds / 2, self._create_seconds)), 3)
        for flag, likely in (
            ("dropped", self._profile.dropped),
            ("dry_run", 0.08),
            ("twice", 0.1),
            ("unheard", 0.04),
        ):
            if rng.random() < likely:
                args[flag] = True
        if what == "resize" and rng.random() < 0.3:
            args["stale"] = True
        return what, args

    def _asks(self) -> dict[str, str]:
        rng = self._rng
        asks = {}
        if "gpu" in self._limits:
            asks[GPU] = str(rng.choice((0, 1, 1, 1, 2)) * (1 if int(self._limits["gpu"]) < 10 else 6))
        if "requests.cpu" in self._limits or rng.random() < 0.2:
            asks[CPU] = str(
                rng.choice((0, 1, 2)) * (1 if int(self._limits.get("requests.cpu", "0")) < 10 else 6)
            )
        return asks

    def _machine(self) -> str:
        rng = self._rng
        kind, count = rng.choice(
            (
                ("webhook", self._webhooks),
                ("operator", self._operators),
                ("operator", self._operators),
                ("apiserver", 2),
            )
        )
        return f"{kind}-{rng.randrange(count)}"

    def _client(self) -> str:
        name = self._machine()
        return name if not name.startswith("apiserver") else "operator-0"

    def _woe(self) -> tuple[str, dict[str, Any]]:
        rng = self._rng
        what = _one(rng, self._profile.misfortunes)
        seconds = round(rng.choice((0.05, 1.0, 3.0, 14.0, 30.0)) * (0.5 + rng.random()), 3)
        server, client = f"apiserver-{rng.randrange(2)}", self._client()
        make: dict[str, dict[str, Any]] = {
            "fault": {"machine": client},
            "crash": {"machine": self._machine(), "seconds": seconds},
            "stop": {"machine": f"operator-{rng.randrange(self._operators)}", "seconds": seconds},
            "clock": {"machine": client, "seconds": rng.choice((-3600.0, 3600.0, 86400.0, -5.0))},
            "hold": {"machine": server, "seconds": seconds},
            "forget": {"machine": server},
            "silence": {"machine": client, "resource": rng.choice(WATCHED), "seconds": seconds},
            "break": {"machine": self._machine()},
            "restore": {"versions": rng.randint(1, 30)},
            "slow": {"machine": client, "seconds": seconds, "factor": rng.choice((20.0, 200.0))},
        }
        args = make.get(what, {"machine": client, "seconds": seconds})
        return what, {**args, "fault": self._fault()} if what == "fault" else args

    def _fault(self) -> dict[str, Any]:
        rng = self._rng
        kind = rng.choice((*faults.KINDS, *faults.KINDS, *faults.CRASHES))
        fault = {
            "kind": kind,
            "on": rng.choice(("write", "write", "read", "any")),
            "skip": rng.choice((0, 0, 1, 2, 4)),
        }
        return {**fault, "seconds": round(rng.random() * 4, 3)} if kind == faults.LATE else fault


def _one(rng: random.Random, weights: dict[str, float]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
