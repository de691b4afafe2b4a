"""Hundreds of nodes at random, scanned by one process while they change: a scan says what is there, and no more."""

import random
from pathlib import Path

from labquota.agent.scanning import GpuProcess
from nvml import MODELS, Gpu, Node, Process
from nvml.scans import Scanning, Seen

NODES = 300


def _node(path: Path, dice: random.Random) -> Node:
    node = Node(path, name=f"random-{dice.random()}")
    for _ in range(dice.randrange(5)):
        gpu = node.add(dice.choice(list(MODELS)))
        if gpu.known.family.profiles and dice.random() < 0.8:
            _cut(node, gpu, dice)
        for pid in range(dice.randrange(4)):
            where = dice.choice(gpu.instances) if gpu.instances else None
            gi, ci = (where.gi, where.ci) if where else (-1, -1)
            gpu.processes.append(Process(1000 + pid, dice.choice([None, 1, 500]), gi, ci))
        gpu.lost = dice.random() < 0.1
    return node


def _cut(node: Node, gpu: Gpu, dice: random.Random) -> None:
    node.cut(gpu, ())
    gpu.pending = dice.choice([None, False])
    for _ in range(dice.randrange(9)):
        profile = dice.choice(gpu.known.family.profiles)
        halves = (f"1c.{profile.name}", f"1c.{profile.name}")
        try:
            node.create(gpu, [halves if profile.slices > 1 and dice.random() < 0.2 else profile.name])
        except (ValueError, IndexError):
            break  # nothing more of this fits
    gpu.instances = [each for each in gpu.instances if dice.random() < 0.8]
    for each in gpu.instances:
        each.errors = {"*": 999} if dice.random() < 0.1 else {}


def _expect(node: Node, seen: Seen, before: Seen) -> None:
    assert [each.index for each in seen.gpus] == list(range(len(node.gpus)))
    processes = []
    for gpu, told in zip(node.gpus, seen.gpus, strict=True):
        if gpu.lost:
            # No GPU of this node was in the one before: whatever had this index is the best guess.
            known = next((each for each in before.gpus if each.index == told.index), None)
            assert (told.health, told.uuid) == ("Lost", known.uuid if known else "")
            assert told.mig_devices == (known.mig_devices if known else ())
            continue
        assert (told.uuid, told.model) == (gpu.uuid, gpu.known.name)
        good = sorted((each for each in gpu.instances if not each.errors), key=lambda each: each.index)
        shown = {each.index: each for each in told.mig_devices}
        assert list(shown) == [each.index for each in good]
        for each in good:
            profile = gpu.known.family.profile(each.profile)
            name = (
                f"{each.slices}c.{profile.name}" if each.slices not in {0, profile.slices} else profile.name
            )
            assert (shown[each.index].uuid, shown[each.index].profile) == (each.uuid, name)
            assert (shown[each.index].start, shown[each.index].size) == (each.start, profile.size)
        broken = len(good) < len(gpu.instances)
        assert (told.health == "Unreadable") == (broken and not good)
        assert bool(told.message) == broken
        processes += [
            GpuProcess(gpu.uuid, p.gi, p.ci, p.pid, -1 if p.memory is None else p.memory)
            for p in gpu.processes
        ]
    assert sorted(seen.processes) == sorted(processes)


def test_a_scan_says_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    dice = random.Random(56)
    node = _node(tmp_path / "node.yaml", dice)
    before = Seen()
    with Scanning(node.write().environment()) as scanning:
        for _ in range(NODES):
            seen = scanning.scan()
            _expect(node, seen, before)
            before = seen
            node = _node(tmp_path / "node.yaml", dice)
            node.write()
