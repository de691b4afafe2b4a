"""Which functions our NVML only pretends to have: those that the installed nvidia-ml-py looks up and no source has.

`python -m nvml.stubs` writes source/stubs.inc again, after a newer nvidia-ml-py or a function more in the sources.
"""

import re
from importlib.util import find_spec
from pathlib import Path

__all__ = ["looked_up", "stubs", "written"]

SOURCE = Path(__file__).with_name("source")
STUBS = SOURCE / "stubs.inc"


def looked_up() -> set[str]:
    """Every function of NVML that nvidia-ml-py knows."""
    spec = find_spec("pynvml")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("nvidia-ml-py is not installed")
    return set(re.findall(r'_nvmlGetFunctionPointer\("(\w+)"\)', Path(spec.origin).read_text()))


def written() -> set[str]:
    """Every function that the sources have in earnest."""
    texts = [path.read_text() for path in SOURCE.glob("*.c") if path.name != "stubs.c"]
    pattern = re.compile(r"^(?:EXPORT .*?\b|LISTING\()(nvml\w+)\b", re.MULTILINE)
    return {name for text in texts for name in pattern.findall(text)}


def stubs() -> str:
    """The text of source/stubs.inc."""
    return "".join(f"STUB({name})\n" for name in sorted(looked_up() - written()))


if __name__ == "__main__":
    STUBS.write_text(stubs())
