"""`labquota completion`: the script by which a shell completes labquota's words."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from labquota.cli import main

_KUBECTL: Final = """\
#!/bin/sh
# Completes `kubectl labquota ...`: save it as kubectl_complete-labquota on the PATH, executable.
COMP_WORDS="labquota $*" COMP_CWORD=$# _LABQUOTA_COMPLETE=bash_complete labquota | sed -n 's/^plain,//p'
echo :0
"""
"""kubectl runs it with the words after `labquota`; the last line is cobra's word for "files where nothing fits"."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "kubectl"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      eval "$(labquota completion bash)"      bash 4.4 or newer: put this line into ~/.bashrc
      eval "$(labquota completion zsh)"       zsh: into ~/.zshrc
      labquota completion fish > ~/.config/fish/completions/labquota.fish
      labquota completion kubectl > ~/.local/bin/kubectl_complete-labquota
                                              `kubectl labquota`: then make it executable

    \b
    Exit codes:
      0  printed
      2  there is no such shell
    """  # noqa: D301  # \b is click's mark
    if shell == "kubectl":
        click.echo(_KUBECTL, nl=False)
        return
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  all three are click's own
    complete = kind(main.cli, {}, "labquota", main.COMPLETE)
    click.echo(complete.source_template % complete.source_vars())
