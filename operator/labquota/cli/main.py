"""The list of commands. Each is imported when it is asked for: the webhook needs nothing of the command line's."""

import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

_COMMANDS: Final = {
    # name: (module, one line for --help); the module holds a click command named `command`
    "limits": ("labquota.cli.limits", "Show what an owner may hold, and which object says so."),
    "usage": ("labquota.cli.usage", "Show what an owner holds against their limits, and which pods hold it."),
    "gpus": ("labquota.cli.gpus", "Show GPUs, the slices that they are cut into, and who holds which."),
    "explain": (
        "labquota.cli.explain",
        "Say whether pods would pass, why or why not, with the whole reckoning.",
    ),
    "version": ("labquota.cli.version", "Print the version of labquota, and what the cluster serves."),
    "completion": ("labquota.cli.completion", "Print the completion script of a shell."),
    "import": ("labquota.cli.import_", "Turn the older limiter's configuration into labquota objects."),
    "policies": ("labquota.cli.policies", "Print the policies and rights that the owners' settings ask for."),
    "webhook": ("labquota.cli.webhook_", "Run one replica of the admission webhook."),
    "operator": ("labquota.cli.operator_", "Run one operator."),
    "agent": ("labquota.cli.agent", "Look at the GPUs of one node, and who holds them."),
}

COMPLETE: Final = "_LABQUOTA_COMPLETE"
"""The variable by which a shell's completion script asks."""
_INTERRUPTED: Final = 130
_NO_READER: Final = 141
"""What a shell says of a program that Ctrl-C or a closed pipe has ended."""


class LazyGroup(click.Group):
    """A group whose help needs none of its commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The commands' names, in the order in which they are listed above."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a reader who has seen enough (`| head`) ends it without a word."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
            raise SystemExit(_NO_READER) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines()))

    def _lines(self) -> Iterator[tuple[str, str]]:
        for name, (_, text) in _COMMANDS.items():
            yield name, text


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def cli() -> None:
    """Fair, exact, per-person resource limits for shared GPU clusters on Kubernetes.

    Every command has a --help of its own, with examples and its exit codes.
    """


def main() -> None:
    """Run the command line; under kubectl its usage lines say so."""
    called = os.path.basename(sys.argv[0])  # noqa: PTH119  # a name, not a file
    name = "kubectl labquota" if called.startswith("kubectl-") else "labquota"
    try:
        code = cli.main(prog_name=name, complete_var=COMPLETE, standalone_mode=False)
    except click.Abort:
        code = _INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    sys.exit(code)
