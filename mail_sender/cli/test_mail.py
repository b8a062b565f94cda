"""What `-t` prints: where the test mail goes, what the relay made of it, and what the identity server allows."""

from mail_sender import lifecycle, log, wiring
from mail_sender.cli.terminal import print_line
from mail_sender.config.config import Config
from mail_sender.errors import Exit
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.sender.test_mail import Result
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Throttled, Uncertain


def send(config: Config, recipient: str) -> Exit:
    """Send one test mail, print what came of it, and return the exit code."""
    for warning in config.warnings:
        print_line(f"warning: {warning}", err=True)
    print_line(f"{_announced(config, recipient)} ...")
    result = lifecycle.run_once(wiring.test_mail(config).send(recipient))
    redact = log.Redactor(config.secrets).text
    print_line(redact(_relay(result, dry=isinstance(config.relay, FolderConfig))))
    print_line(redact(f"identity server: {'' if result.server_fine else 'not usable: '}{result.server}"))
    return result.exit_code


def _announced(config: Config, recipient: str) -> str:
    relay = config.relay
    if isinstance(relay, RelayConfig):
        return f"Sending a test mail to {recipient} through {relay.place} ({relay.security.value})"
    return f"A dry run: writing a test mail to {recipient} into {relay.place}"


def _relay(result: Result, *, dry: bool) -> str:
    match result.verdict:
        case Accepted(reply) if dry:
            return f"A dry run: {reply.text}"
        case Accepted(reply):
            return (
                f"Accepted: the relay answered {reply}\n"
                f"  Message-ID {result.message_id}: look into the mailbox, also into its spam folder"
            )
        case Refused(stage, reason, reply):
            return f"Refused{f' at {stage}' if stage else ''}: {reason}{f': {reply}' if reply else ''}"
        case Deferred(stage, reply) | Throttled(stage, reply):
            return f"Not taken now, at {stage}: {reply}; try again later"
        case RelayDown():
            return f"Not sent: {result.verdict}"
        case Uncertain(detail):
            return f"Cut off after the final dot ({detail}): the mail may have arrived; look into the mailbox"
