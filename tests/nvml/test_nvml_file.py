"""The node's file: what of YAML is understood, and that a mistake is told in one line and never in a wrong answer."""

import random
from pathlib import Path

import pytest

from nvml import CURRENT, Node, library
from nvml.asking import ask, run

HAND = """
# A node that somebody wrote by hand.
driver: '550.54.15'   # quoted
cuda: 12040
errors: {}
gpus:
  - model: "A100-SXM4-40GB"
    uuid: GPU-1
    pci: 00000000:3B:00.0
    mig: enabled
    instances:
      - {profile: 3g.20gb, start: 4, gi: 2, uuid: MIG-1, index: 5}
      -
        profile: 1g.5gb
        start: 0
        gi: 7
        uuid: MIG-2
        errors: {nvmlDeviceGetName: 999, '*': 3}
    processes: [{pid: 1, memory: 10, gi: 2, ci: 0}, {pid: 2, kind: graphics}]

  - model: T4
    uuid: GPU-2
    pci: "0000AAAA:3C:00.0"
    name: NVIDIA "T4" # of 2018
events:
"""


def _environment(path: Path, text: str) -> dict[str, str]:
    path.write_text(text)
    return {"LD_LIBRARY_PATH": str(library(CURRENT)), "LABQUOTA_NVML": str(path)}


def test_what_people_write_is_understood(tmp_path: Path) -> None:
    assert ask(
        _environment(tmp_path / "node.yaml", HAND),
        "gpus = [nv.nvmlDeviceGetHandleByIndex(i) for i in range(nv.nvmlDeviceGetCount())]",
        "migs = [nv.nvmlDeviceGetMigDeviceHandleByIndex(gpus[0], i) for i in (5, )]",
        "[nv.nvmlSystemGetDriverVersion(), [nv.nvmlDeviceGetUUID(h) for h in gpus + migs],"
        " nv.nvmlDeviceGetName(gpus[1]), nv.nvmlDeviceGetPciInfo(gpus[1]).domain,"
        " code(nv.nvmlDeviceGetMigDeviceHandleByIndex, gpus[0], 0),"
        " [len(nv.nvmlDeviceGetComputeRunningProcesses_v3(h)) for h in gpus]]",
    ) == ["550.54.15", ["GPU-1", "GPU-2", "MIG-1"], 'NVIDIA "T4"', 0xAAAA, 3, [1, 0]]


GPU = "gpus:\n- model: A100-SXM4-40GB\n  uuid: GPU-1\n  pci: 00000000:3B:00.0\n"
MIG = GPU + "  mig: Enabled\n  instances:\n"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "line 1: the file is empty"),
        ("driver", "line 1: expected key: value"),
        ("driver: 1\n  cuda: 2", "line 2: its indentation is that of no line before it"),
        ("gpus:\n    - model: T4\n  - model: T4", "line 3: its indentation is that of no line before it"),
        ("driver: 'x", "line 1: a quote is not closed"),
        ("driver: 'x' y", "line 1: something stands behind the quotes"),
        ('driver: "\\n"', 'line 1: only \\" and \\\\ are known in double quotes'),
        ("driver: &a x", "line 1: a plain text cannot start with this character; quote it"),
        ("errors: {a: 1", "line 1: } or a comma is missing"),
        ("gpus: [1 2", "line 1: ] or a comma is missing"),
        ("errors: {a: 1} b", "line 1: something stands behind the closing bracket"),
        ("errors: {a}", "line 1: an entry of {} needs the form key: value"),
        ("driver: 1\ndriver: 2", "line 2: driver is there twice"),
        ("gpus:\n\t- model: T4", "line 2: a tab cannot indent"),
        ("drivers: 1", "line 1: drivers: no such key"),
        ("gpus: {}", "line 1: gpus: a list is expected"),
        ("gpus: [x]", "line 1: key: value entries are expected"),
        ("cuda: twelve", "line 1: cuda: a number is expected"),
        ("cuda: [1]", "line 1: cuda: a text is expected"),
        ("gpus:\n- uuid: GPU-1", "line 2: a GPU starts with its model"),
        ("gpus:\n- model: A101", "line 2: model: no such model"),
        ("gpus:\n- model: T4", "line 2: a GPU needs model, uuid and pci"),
        (GPU + "  pci: x", "line 5: pci is there twice"),
        (GPU.replace("00000000:3B:00.0", "x"), "an address such as 00000000:3B:00.0 is expected"),
        (GPU + "  mig: On", "line 5: mig: Enabled or Disabled is expected"),
        (GPU + "  colour: red", "line 5: colour: no such key of a GPU"),
        (GPU.replace("A100-SXM4-40GB", "T4") + "  mig: Enabled", "line 2: this model cannot be cut"),
        (GPU + "  instances: [{profile: 7g.40gb, start: 0, gi: 0, uuid: M}]", "instances need mig: Enabled"),
        (MIG + "  - {profile: 7g.80gb}", "line 7: profile: no such profile on this model"),
        (MIG + "  - {profile: 7g.40gb}", "line 7: an instance needs profile, start, gi and uuid"),
        (
            MIG + "  - {profile: 3g.20gb, start: 1, gi: 1, uuid: M}",
            "an instance starts where its profile cannot",
        ),
        (
            MIG + "  - {profile: 3g.20gb, start: 0, gi: 1, uuid: M, index: 7}",
            "an instance's index is beyond the most that this model has",
        ),
        (
            MIG + "  - {profile: 3g.20gb, start: 0, gi: 1, uuid: M, slices: 4}",
            "an instance has more compute slices than its profile",
        ),
        (
            MIG + "  - {profile: 3g.20gb, start: 0, gi: 1, uuid: M}\n"
            "  - {profile: 2g.10gb, start: 2, gi: 4, uuid: N, index: 1}",
            "two instances lie on the same memory slot",
        ),
        (
            MIG + "  - {profile: 3g.20gb, start: 0, gi: 1, uuid: M}\n"
            "  - {profile: 3g.20gb, start: 0, gi: 1, uuid: N, index: 1}",
            "two instances have the same gi and ci, or one gi lies at two places",
        ),
        (
            MIG + "  - {profile: 3g.20gb, start: 0, gi: 1, uuid: M}\n"
            "  - {profile: 3g.20gb, start: 4, gi: 2, uuid: M, index: 1}",
            "two instances have the same index or uuid",
        ),
        (GPU + "  processes: [{pid: 1, kind: idle}]", "no such key of a process, or no such kind"),
        ("events: [{xid: 1}]", "line 1: an event needs an id from 1 on, gpu and xid"),
        ("a: " + "[" * 40, "line 1: nested too deeply"),
    ],
)
def test_a_mistake_is_one_line_and_unknown(tmp_path: Path, text: str, mistake: str) -> None:
    path = tmp_path / "node.yaml"
    script = "print(code(nv.nvmlInit), code(nv.nvmlInit))"
    done = run(_environment(path, text), script)
    assert done.stdout == "999 999\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"labquota's NVML: {path}: line ")
    assert line.endswith(mistake)


def test_without_a_file_everything_is_unknown_and_told_once(tmp_path: Path) -> None:
    environment = _environment(tmp_path / "node.yaml", HAND)
    missing = run(
        {**environment, "LABQUOTA_NVML": str(tmp_path / "no")}, "print(code(nv.nvmlInit), code(nv.nvmlInit))"
    )
    assert missing.stdout == "999 999\n"
    assert missing.stderr == f"labquota's NVML: {tmp_path / 'no'}: cannot be read\n"
    without = {key: value for key, value in environment.items() if key != "LABQUOTA_NVML"}
    unset = run(without, "print(code(nv.nvmlInit))")
    assert unset.stdout == "999\n"
    assert unset.stderr == "labquota's NVML: LABQUOTA_NVML: is not set; it names the node's file\n"


def test_a_mistake_that_is_mended_is_over(tmp_path: Path) -> None:
    node = Node(tmp_path / "node.yaml", "T4").write()
    good = node.path.read_text()
    script = f"""
from pathlib import Path
path = Path({str(node.path)!r})
good = path.read_text()
nv.nvmlInit()
answers = [code(nv.nvmlDeviceGetCount)]
for text in ("gpus: 1", good, good + "x: y", good):
    path.write_text(text)
    answers.append(code(nv.nvmlDeviceGetCount))
print(answers)
"""
    done = run(node.environment(), script)
    assert done.stdout == "[0, 999, 0, 999, 0]\n"
    assert len(done.stderr.splitlines()) == 2
    assert node.path.read_text() == good


def test_no_text_brings_it_down(tmp_path: Path) -> None:
    """Thousands of damaged files, read in one process: each is either understood or told."""
    node = Node(tmp_path / "node.yaml", "A100-SXM4-40GB", "T4")
    node.cut(node.gpus[0], ["3g.20gb", ("1c.2g.10gb", "1c.2g.10gb")])
    node.gpus[0].errors["*"] = 0
    node.xid(node.gpus[0], 31)
    node.write()
    texts = [node.path.read_text(), HAND]
    dice = random.Random(7)
    marks = "{}[]:,-#'\"\\ \n\t&*|>x0"
    damaged = []
    for _ in range(3000):
        text = dice.choice(texts)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(text))
            text = (
                text[:at]
                + dice.choice(("", dice.choice(marks), text[at : at + 9]))
                + text[at + dice.randrange(3) :]
            )
        damaged.append(text[: dice.randrange(len(text))] if dice.random() < 0.1 else text)
    corpus = tmp_path / "corpus"
    corpus.write_text("\0".join(damaged))
    script = f"""
import os
from pathlib import Path
path = Path({str(node.path)!r})
nv.nvmlInit()
answers = []
for at, text in enumerate(Path({str(corpus)!r}).read_text().split(chr(0))):
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)
    answers.append(code(nv.nvmlDeviceGetCount))
print(sorted(set(answers)), len(answers))
"""
    done = run(node.environment(), script)
    assert done.stdout == "[0, 999] 3000\n"
    assert not [line for line in done.stderr.splitlines() if not line.startswith("labquota's NVML: ")]
