"""The schedule of faults: the same for the same seed, everything struck in its turn, nothing struck twice at once."""

import itertools
from collections import Counter

import pytest

from storm.faults import KILL, PAUSE, Fault, Shape
from storm.links import Mode
from storm.schedule import LANES, REST, deal

SEEDS = range(20)


def at_once(faults: list[Fault]) -> int:
    return max(sum(other.at <= fault.at < other.ends for other in faults) for fault in faults)


def test_one_seed_gives_one_schedule_and_another_seed_another() -> None:
    assert deal(7, 120) == deal(7, 120)
    assert deal(7, 120) != deal(8, 120)


def test_a_longer_storm_begins_as_the_shorter_one_does() -> None:
    short = deal(7, 60)
    assert deal(7, 600)[: len(short) - LANES] == short[:-LANES]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_more_strikes_at_once_than_there_are_lanes_and_all_is_over_in_time(seed: int) -> None:
    faults = deal(seed, 120)
    assert at_once(faults) <= LANES
    assert max(fault.ends for fault in faults) <= 120
    assert len(faults) > 60


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_struck_rests_before_it_is_struck_again(seed: int) -> None:
    by_process: dict[str, list[Fault]] = {}
    for fault in deal(seed, 300):
        for process in fault.struck:
            by_process.setdefault(process, []).append(fault)
    for faults in by_process.values():
        assert all(after.at >= before.ends + REST for before, after in itertools.pairwise(faults))


def test_in_a_long_storm_every_process_and_every_link_suffers_every_fault() -> None:
    faults, shape = deal(3, 600), Shape()
    suffered = Counter((fault.kind, target) for fault in faults for target in fault.targets)
    for process in shape.processes():
        assert suffered[KILL, process]
        assert suffered[PAUSE, process]
    for link in shape.links():
        for mode in (Mode.CUT, Mode.STALL, Mode.MUTE, Mode.SLOW):
            assert suffered[mode, link], (mode, link)
    alone = {fault.targets for fault in faults if len(fault.targets) > 1}
    assert ("webhook-0", "webhook-1", "webhook-2") in alone, "all replicas are away together at some time"
    assert ("operator-0", "operator-1") in alone, "and so are all operators"


@pytest.mark.parametrize("seed", SEEDS)
def test_an_api_server_is_never_held_up_for_as_long_as_a_reservation_is_kept(seed: int) -> None:
    for fault in deal(seed, 600):
        if any(name.startswith("kube-apiserver") for name in fault.struck):
            assert fault.seconds < 5


def test_a_fault_reads_well() -> None:
    cut = Fault(1.23, 4.5, Mode.CUT, ("webhook-0>kube-apiserver-0",), ("webhook-0",))
    assert str(cut) == "   1.2 s  cut webhook-0>kube-apiserver-0 for 4.5 s"
    slow = Fault(1.23, 4.5, Mode.SLOW, ("a>b",), ("a",), 0.02, 90_000)
    assert str(slow) == "   1.2 s  slow a>b for 4.5 s, 20 ms, 90 kB/s"
