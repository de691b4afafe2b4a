"""`python -m bench`: measures, prints the table, and says which targets hold.

Exit codes: 0 everything was measured, whatever the targets say; 1 something went wrong or a limit was broken; 130 it
was interrupted.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec
import uvloop

from bench import agents, creating, crowded, devices, freeing, growing, plan, reviewing, rollout, targets
from bench.report import report
from bench.rows import BenchError, Row, by_key
from bench.site import CASES, PEOPLE, Site, open_site
from controlplane import ControlPlane, ControlPlaneError
from harness.storming import unchecked

_BEGAN = time.monotonic()


Step = tuple[str, Callable[[], Awaitable[list[Row]]]]


def steps(site: Site, chosen: plan.Plan) -> list[Step]:
    """What is measured, in the order of the table."""
    one, many = partial(creating.one_client, site, chosen), partial(creating.many_clients, site, chosen)
    beside = ("quota", "labquota")
    return [
        ("1 client, stamped", partial(one, stamped=True)),
        ("1 client, by a person", partial(one, stamped=False)),
        ("16 clients, 1 owner", partial(many, "many-16", 16)),
        ("64 clients, 1 owner", partial(many, "many-64", 64)),
        (f"16 clients, {PEOPLE} owners", partial(many, "many-50", 16, PEOPLE, cases=(*CASES, "quotas"))),
        ("16 clients, 1 owner, by a person", partial(many, "many-person", 16, cases=beside, stamped=False)),
        ("Deployments", partial(rollout.deployment, site, chosen)),
        ("a storm against a limit", partial(freeing.storm, site)),
        ("finished pods", partial(freeing.finished_pods, site, chosen)),
        ("CPU of the webhook", partial(reviewing.review_cpu, site, chosen)),
        (f"an owner with {chosen.many:,} pods", partial(growing.large, site, chosen)),
        (f"allocations of {chosen.devices:,} pods with GPUs", partial(devices.devices, site, chosen)),
        *operator(site, chosen),
    ]


_AGENT = "an agent with 8 GPUs of 7 slices"


def operator(site: Site, chosen: plan.Plan) -> list[Step]:
    """What is measured last, since its pods stay."""
    return [
        (f"the operator among {chosen.crowd:,} pods", partial(crowded.operator, site, chosen, _say)),
        ("creates while an operator lists all of them", partial(crowded.meanwhile, site)),
    ]


async def measure_agent(chosen: plan.Plan) -> tuple[list[Row], list[str]]:
    """The agent's rows alone, on a control plane without the rest of labquota.

    Raises:
        BenchError, ControlPlaneError: nothing can be measured.
    """
    _say("starting a control plane")
    with ControlPlane(nodes=1) as plane:
        _say(_AGENT)
        return await agents.agent(plane, chosen, _say), []


async def measure(chosen: plan.Plan, *, operator_alone: bool) -> tuple[list[Row], list[str]]:
    """Every row that can be measured, and what went wrong with the others.

    Raises:
        BenchError, ControlPlaneError: nothing can be measured.
    """
    rows: list[Row] = []
    wrong: list[str] = []
    async with open_site(_say) as site:
        _say("warming up")
        await creating.warm_up(site)
        before = unchecked(site.plane, site.installed)
        for what, take in operator(site, chosen) if operator_alone else steps(site, chosen):
            _say(what)
            try:
                rows += await take()
                if passed := unchecked(site.plane, site.installed) - before:
                    raise BenchError(f"pods passed without a judgement: {dict(passed)}")
            except (BenchError, BaseExceptionGroup) as error:
                wrong.append(f"{what}: {_first(error)}")
                _say(f"NOT MEASURED  {wrong[-1]}")
                before = unchecked(site.plane, site.installed)
    if not operator_alone:
        rows += (await measure_agent(chosen))[0]
    return rows, wrong


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="labquota beside ResourceQuota, in one run"
    )
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten, for development")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every value there, too")
    parser.add_argument(
        "--operator", action="store_true", help="only what the operator costs in a large cluster"
    )
    parser.add_argument("--agent", action="store_true", help="only what an agent costs on its node")
    options = parser.parse_args()
    chosen = plan.QUICK if options.quick else plan.FULL
    try:
        rows, wrong = uvloop.run(
            measure_agent(chosen) if options.agent else measure(chosen, operator_alone=options.operator)
        )
    except (*_CLEAR, BaseExceptionGroup) as error:
        print(f"bench: {_first(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say("interrupted; everything is stopped")
        return 130
    if options.json is not None:
        options.json.write_bytes(msgspec.json.encode({row.key: row.values for row in rows}))
    judgements = targets.judge(by_key(rows))
    print(f"\n{report(rows, judgements)}\n")
    print(f"{os.cpu_count()} cores, which also run the API server, etcd and the clients.", flush=True)
    for line in wrong:
        print(f"NOT MEASURED  {line}", flush=True)
    _say("done")
    broken = any(each.target.row == "storm" and not each.holds for each in judgements)
    return 1 if wrong or broken else 0


_CLEAR = (BenchError, ControlPlaneError)
"""Errors whose own words say what is wrong; any other keeps its traceback."""


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, _CLEAR):
        raise error
    return error


def _say(line: str) -> None:
    minutes, seconds = divmod(int(time.monotonic() - _BEGAN), 60)
    print(f"bench: {minutes}:{seconds:02d}  {line}", file=sys.stderr, flush=True)


def _interrupted(number: int, _: object) -> NoReturn:
    """SIGTERM and SIGHUP stop things in order, as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


if __name__ == "__main__":
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupted)
    sys.exit(main())
