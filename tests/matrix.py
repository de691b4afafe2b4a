"""Runs the cluster tests on every Kubernetes that is pinned here, oldest first, and ends with how each went.

`python tests/matrix.py [VERSION...]`: all of them, or those named. One that fails does not keep the next from being
tried. A version that is not in the cache is built first, which takes minutes.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from controlplane import binaries

TESTS = Path(__file__).parent
STAGES = ("control-plane", "cluster", "planes")


def main() -> int:
    """Run them; 1 if one failed."""
    pinned = binaries.pinned()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"of {', '.join(pinned)}; default all")
    chosen = parser.parse_args().versions or pinned
    if unknown := [each for each in chosen if each not in pinned]:
        parser.error(f"no version {', '.join(unknown)} is pinned here; there are {', '.join(pinned)}")
    lines, failed = [], False
    for version in chosen:
        print(f"\n==== Kubernetes {version} ====", flush=True)
        began = time.monotonic()
        code = _run(version)
        failed = failed or code != 0
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        lines.append(f"Kubernetes {version}   {minutes}:{seconds:02d}   {'failed' if code else 'passed'}")
    print("\n==== matrix ====", *lines, sep="\n", flush=True)
    return 1 if failed else 0


def _run(version: str) -> int:
    env = {**os.environ, "LABQUOTA_KUBERNETES": version}
    env.pop("KUBEBUILDER_ASSETS", None)  # its programs are of one version, whatever is asked for
    return subprocess.run([sys.executable, TESTS / "stages.py", *STAGES], env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
