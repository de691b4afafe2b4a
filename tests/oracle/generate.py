"""Quantities and pods made up by hypothesis, within what Kubernetes itself can answer in reasonable time.

Exponents stay small here: on "1e-999999999" and on sums with "1e999999999" Kubernetes computes numbers of a
billion digits. What labquota makes of those is in the unit tests.
"""

from typing import Any

from hypothesis import strategies as st

__all__ = ["pods", "quantities", "resource_lists"]

_DIGITS = st.text("0123456789", max_size=25)
_SUFFIXES = ("", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_EXPONENTS = st.one_of(
    st.integers(-40, 40),
    st.integers(-3, 3).map(lambda n: n + 2**32),  # cut to 32 bits, these are small again
    st.sampled_from([2**63, -(2**63) - 1, 10**25]),  # no 64-bit integers
)
_EXPONENT_SUFFIXES = st.builds(
    lambda letter, sign, number: f"{letter}{sign if number >= 0 else ''}{number}",
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "00", "+0"]),
    _EXPONENTS,
)


def quantities() -> st.SearchStrategy[str]:
    """Quantity texts, most of them well formed."""
    written = st.builds(
        lambda sign, zeros, whole, fraction, suffix: f"{sign}{'0' * zeros}{whole}{fraction}{suffix}",
        st.sampled_from(["", "", "", "-", "+"]),
        st.integers(0, 3),
        _DIGITS,
        st.one_of(st.just(""), _DIGITS.map(lambda digits: f".{digits}")),
        st.one_of(st.sampled_from(_SUFFIXES), _EXPONENT_SUFFIXES),
    )
    near_the_cap = st.builds(
        lambda whole, suffix: f"{whole}{suffix}",
        st.integers(2**63 - 3, 2**63 + 3).map(str)
        | st.sampled_from(["9.2233720368547758", "7.99999999", "8"]),
        st.sampled_from(["", "m", "E", "Ei", "Pi", "e0", "e3", "e-3"]),
    )
    garbage = st.text("0129+-.eEinumkKMGTP _\N{FULLWIDTH DIGIT ONE}\n", max_size=8)
    return st.one_of(written, near_the_cap, garbage)


_AMOUNTS = st.one_of(
    st.sampled_from(
        ["0", "1", "2", "100m", "1500m", "1Gi", "1.5Gi", "512Mi", "0.1", "1n", "999999n", "1001u"]
    ),
    st.integers(0, 20),
    st.sampled_from([0.5, 0.1, 2.0, 1e22, None]),
    st.sampled_from(
        ["8Ei", "9223372036854775807", "9223372036854775807m", "9e18", "1e19", "12345678901234567890"]
    ),
    st.builds(lambda n, suffix: f"{n}{suffix}", st.integers(0, 3000), st.sampled_from(_SUFFIXES)),
)
_LEVEL = ("cpu", "memory", "hugepages-2Mi")
_NAMES = (*_LEVEL, "ephemeral-storage", "nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "example.com/widget")


def resource_lists(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the names with an amount each."""
    return st.dictionaries(st.sampled_from(names), _AMOUNTS, max_size=3)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _resources(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return _some(requests=resource_lists(*names), limits=resource_lists(*names))


def _containers(names: str, *, sidecars: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    policy = {"restartPolicy": st.sampled_from(["Always", "Always", "Never"])} if sidecars else {}
    one = st.builds(
        lambda name, rest: {"name": name, **rest},
        st.sampled_from(names),
        _some(resources=_resources(*_NAMES), **policy),
    )
    return st.lists(one, max_size=3, unique_by=lambda container: container["name"])


def _statuses(names: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.builds(
        lambda name, rest: {"name": name, **rest},
        st.sampled_from(names),
        _some(resources=_resources(*_NAMES), allocatedResources=resource_lists(*_NAMES)),
    )
    return st.lists(one, max_size=3)


_CONDITIONS = st.lists(
    _some(
        type=st.sampled_from(["PodResizePending", "PodResizePending", "Ready"]),
        reason=st.sampled_from(["Infeasible", "Infeasible", "Deferred"]),
        observedGeneration=st.integers(0, 2),
    ),
    max_size=2,
)


def pods(*, status: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Pods as JSON objects: containers a b c, init containers i j k, with or without a status."""
    spec = st.builds(
        lambda containers, rest: {"containers": containers, **rest},
        _containers("abc", sidecars=False),
        _some(
            initContainers=_containers("ijk", sidecars=True),
            overhead=resource_lists("cpu", "memory", "example.com/widget"),
            resources=_resources(*_LEVEL, "example.com/widget"),
        ),
    )
    if not status:
        return st.fixed_dictionaries({"spec": spec})
    said = _some(
        conditions=_CONDITIONS,
        containerStatuses=_statuses("abc"),
        initContainerStatuses=_statuses("ijk"),
        resources=_resources(*_LEVEL),
        allocatedResources=resource_lists(*_LEVEL),
    )
    return st.fixed_dictionaries(
        {"spec": spec, "status": said}, optional={"metadata": _some(generation=st.integers(0, 2))}
    )
