"""What `serve` prints once everything answers, and what `fill` prints: where things are, and what to do next.

The commands can be copied as they are: they have a program's path if its name alone is not found, and `-s` for the
sender if root runs this, because the sender otherwise refuses to run as root.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from server_stub.api.limits import PERSON_LISTED
from server_stub.errors import StubError
from server_stub.folder.directory import Directory
from server_stub.folder.files import read_json
from server_stub.startup.ports import Ports, reached_at


def startup_text(directory: Directory, host: str, ports: Ports, *, has_sender: bool = False) -> str:
    """Return the text, several lines of it; `has_sender` says that a sender will run without anybody starting it."""
    folder, config, sender = (
        shlex.quote(str(path)) for path in (directory.root, directory.client_config, directory.sender_config)
    )
    name = reached_at(host)
    relay = f"smtps://{name}:{ports.smtps} and smtp://{name}:{ports.smtp} (STARTTLS)"
    root = " -s" if os.geteuid() == 0 else ""
    start = "" if has_sender else f"  {program('mail-sender')}{root} -c {config} -m {sender}\n"
    return f"""\
The stub identity server is running on {host}; its files are in {directory.root}
  page with queue and mail                   http://{name}:{ports.web}/
  API                                        https://{name}:{ports.api}
  relay                                      {relay}
Next, in another terminal, queue something{"" if has_sender else " and start the sender"}:
  {program("server-stub")} message-queue send-test-message ellie --dir {folder}
{start}  {program("server-stub")} message-queue list --dir {folder}
With Kanidm's own command (its password is idm_admin_password in tokens.json):
  kanidm login -D idm_admin -H https://{name}:{ports.api} -C {shlex.quote(str(directory.ca))}
Ctrl-C stops it. Queue and mail are kept."""


def where_to_look(directory: Directory, queued: int) -> str:
    """Return where so many new messages can be seen, and from how many on the command cannot show them."""
    try:
        kept = read_json(directory.ports)
        page = f"http://{kept['host']}:{kept['web']}/"
    except (StubError, KeyError):
        page = "the page that `serve` names"
    command = f"{program('server-stub')} message-queue list --dir {shlex.quote(str(directory.root))}"
    limit = f"\n  (from {PERSON_LISTED + 1:,} stored messages on this fails, as `kanidm` does)"
    return f"To look at them, while the stub runs:\n  {page}\n  {command}{limit if queued > PERSON_LISTED else ''}"


def program(name: str) -> str:
    """Return how to call a program that lies beside the one that runs: by its name if that finds it."""
    beside = Path(sys.argv[0]).absolute().with_name(name)
    found = shutil.which(name)
    by_path = beside.exists() and not (found and Path(found).samefile(beside))
    return shlex.quote(str(beside)) if by_path else name
