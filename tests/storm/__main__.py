"""`python -m storm`: rounds of a storm on one control plane, each checked by itself, until the time is up."""

import argparse
import asyncio
import sys

from storm import AS_SHIPPED, STRICT, Site

ROUND_SECONDS = 120.0


def main() -> int:
    """Run them; 1 if something that must hold did not."""
    parser = argparse.ArgumentParser(prog="storm", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=ROUND_SECONDS, help="how long all rounds together last"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each one after has the next")
    parser.add_argument("--profile", choices=(STRICT, AS_SHIPPED), help="instead of what each seed decides")
    said = parser.parse_args()
    if said.seconds <= 0:
        parser.error(
            f"--seconds {said.seconds:g} is no time to have a storm in; say how long, as in --seconds 120"
        )
    with Site() as site:
        return asyncio.run(_rounds(site, said.seconds, said.seed, said.profile))


async def _rounds(site: Site, seconds: float, seed: int, profile: str | None) -> int:
    while seconds > 0:
        length = min(seconds, ROUND_SECONDS)
        print(f"storm: seed {seed}, {length:.0f} s", flush=True)
        outcome = await site.round(seed, length, profile)
        print(outcome.report, flush=True)
        if outcome.violations:
            print(outcome.how_to_repeat, file=sys.stderr, flush=True)
            return 1
        seed += 1
        seconds -= length
    return 0


if __name__ == "__main__":
    sys.exit(main())
