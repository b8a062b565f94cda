"""`mail-sender completion`: the script that makes a shell complete our commands, options and values.

typer has the machinery: the script asks this program for each word, by `_MAIL_SENDER_COMPLETE` in the environment.
The wheel installs the same scripts, which are in `docs/completion/` (scripts/manual.py).
"""

import os
from typing import Annotated, Literal

import typer

from mail_sender.cli import plain_start

VARIABLE = plain_start.COMPLETION_VARIABLE
PROGRAM = "mail-sender"
SHELLS = ("bash", "zsh", "fish")

Shell = Annotated[
    Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)
]

_ZSH_AT_ITS_END = "compdef _mail_sender_completion mail-sender"
# A file that zsh loads by itself is called for the word that is completed just then.
_ZSH_LOADED = """\
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _mail_sender_completion "$@"
else
  compdef _mail_sender_completion mail-sender
fi"""


def completion(shell: Shell) -> None:
    """Print the script that makes a shell complete commands, options and values.

    For the shell that runs: source <(mail-sender completion bash). For every new one, write the script into a file:
    /etc/bash_completion.d/mail-sender, /usr/local/share/zsh/site-functions/_mail-sender,
    /etc/fish/completions/mail-sender.fish.
    """
    typer.echo(script(shell))


def script(shell: str) -> str:
    """Return the script for a shell."""
    from typer._completion_shared import get_completion_script  # noqa: PLC0415 - only this command needs it

    text = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell)
    return text.replace(_ZSH_AT_ITS_END, _ZSH_LOADED)


def prepare() -> None:
    """Be ready to answer the script, if it asks: the shells are known only after that."""
    if VARIABLE in os.environ:
        from typer._completion_classes import completion_init  # noqa: PLC0415 - as above

        completion_init()
