"""Resource versions, compared as the numbers that they are.

Since Kubernetes 1.35 two resource versions of one kind of object may be compared as integers; a decimal without
leading zeros that is longer is larger, and of two equally long ones the text order is the number's order. So no number
is ever parsed, however long.
"""


def newer(a: str, b: str) -> bool:
    """Tell whether resource version `a` is strictly newer than `b`; the empty version is older than all others."""
    if len(a) != len(b):
        return len(a) > len(b)
    return a > b


def latest(a: str, b: str) -> str:
    """Return the newer of two resource versions."""
    return b if newer(b, a) else a
