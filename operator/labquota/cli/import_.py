"""`labquota import DIR`: the older limiter's configuration as labquota objects."""

from pathlib import Path

import click

from labquota import imports


@click.command("import")
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--gpu-limit-unit",
    type=click.Choice([unit.value for unit in imports.Unit]),
    help="What GPU limits count. Without it the keys' names tell: max_mig_instances counts slots, "
    "max_gpu_equivalents counts parts of whole GPUs.",
)
@click.option(
    "--override-semantics",
    type=click.Choice([semantics.value for semantics in imports.Semantics]),
    default=imports.Semantics.DOCUMENTED.value,
    show_default=True,
    help="What a user's override lies over: the user's group (documented), or the defaults alone (code).",
)
@click.option("--allow-unknown", is_flag=True, help="Warn of keys that labquota does not know, and go on.")
def command(
    directory: Path, gpu_limit_unit: str | None, override_semantics: str, *, allow_unknown: bool
) -> None:
    """Turn the older limiter's configuration into labquota objects.

    Reads resource-limits.yaml in DIR and, where they exist, groups/*.members, user-overrides.yaml,
    group-overrides.txt and lifecycle-exemptions.yaml. Writes ResourceLimitGroups and ResourceLimitOverrides to
    standard output, the same files always giving the same text, and a report to standard error: warnings, what is
    not imported and why, and the users for whom the older system's documentation and its code disagree.

    \b
    Examples:
      labquota import config                        look at the result and the report
      labquota import config | kubectl apply -f -   apply it
      labquota import config >/dev/null             the report alone

    \b
    Exit codes:
      0  imported, perhaps with warnings
      2  something is wrong: every problem is listed with file, line and key, and nothing is written
    """  # noqa: D301  # \b is click's mark
    converted = imports.convert(
        directory,
        imports.Options(
            unit=imports.Unit(gpu_limit_unit) if gpu_limit_unit else None,
            semantics=imports.Semantics(override_semantics),
            allow_unknown=allow_unknown,
        ),
    )
    findings = converted.findings
    if findings.problems:
        for problem in findings.problems:
            click.echo(problem, err=True)
        number = len(findings.problems)
        click.echo(f"{number} problem{'s' if number > 1 else ''}; nothing was imported", err=True)
        raise SystemExit(2)
    click.echo("# Written by `labquota import`. Apply it with: kubectl apply -f FILE")
    click.echo(imports.dump(converted.manifests), nl=False)
    for line in findings.report():
        click.echo(line, err=True)
    click.echo(
        f"Imported {_number(len(converted.groups), 'group')} and "
        f"{_number(len(converted.overrides), 'override')}; GPU limits count {converted.unit.value}.",
        err=True,
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
