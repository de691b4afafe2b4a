"""`python -m simulation`: random histories until one fails, which is printed as short as it can be made."""

import argparse
import sys
import time

from simulation import profiles, search


def main() -> int:
    """Run; 1 if an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000, help="how many")
    parser.add_argument("--profile", default="all", choices=["all", *profiles.PROFILES], help="of what kind")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the next one's is one more")
    parser.add_argument("--processes", type=int, default=search.cores(), help="how many run at once")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds for making a failure shorter")
    wanted = parser.parse_args()
    began = time.monotonic()
    processes = min(wanted.processes, max(1, wanted.histories // search.CHUNK))
    failure = search.search(wanted.histories, wanted.profile, wanted.seed, processes=processes)
    seconds = time.monotonic() - began
    if failure is None:
        rate = f"{wanted.histories / seconds:.0f} a second on {processes} processes"
        print(
            f"{wanted.histories} histories in {seconds:.0f} s, {rate}: every invariant held in each of them"
        )
        return 0
    print(f"found after {seconds:.0f} s: profile {failure.profile}, seed {failure.seed}: {failure.found}\n")
    print(failure.shrunk(wanted.shrink).text())
    return 1


if __name__ == "__main__":
    sys.exit(main())
