"""How long to wait before the next try: doubling, with jitter, never below what the API server asked for."""

import random

from labquota.kube.errors import ApiError


class Backoff:
    """Waiting times between tries that keep failing.

    Args:
        rng: the source of jitter; many clients that lost the same server must not return at the same instant.
        first: seconds before the first new try.
        most: seconds that the waiting time grows to.
    """

    def __init__(self, rng: random.Random, *, first: float = 0.1, most: float = 30.0) -> None:
        self._rng = rng
        self._first = first
        self._most = most
        self.failures = 0

    def reset(self) -> None:
        """Begin anew: something worked."""
        self.failures = 0

    def after(self, error: Exception | None = None) -> float:
        """Return the seconds to wait now, between half and one and a half of the doubled time."""
        # The exponent is capped before the power: 2**10000 would be a number of 3,000 digits.
        wait = min(self._most, self._first * 2.0 ** min(self.failures, 20))
        self.failures += 1
        wait = float(wait * (0.5 + self._rng.random()))
        if isinstance(error, ApiError) and error.retry_after is not None:
            return max(wait, error.retry_after)
        return wait
