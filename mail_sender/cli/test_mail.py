"""What `-t` prints: where the test mail goes, what the relay made of it, and what the identity server allows."""

from mail_sender import lifecycle, log
from mail_sender.cli.terminal import print_line
from mail_sender.config.config import Config
from mail_sender.errors import Exit, UsageError
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.sender.test_mail import Progress
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Throttled, Uncertain, Verdict
from mail_sender.wiring import ends


def send(config: Config, recipient: str, number: int = 0) -> Exit:
    """Send one test mail, print what came of it, and return the exit code; print it also if it is interrupted.

    It goes through the first relay, or through the fallback with this number. Raises `UsageError` if there is none.
    """
    if number >= len(config.relays):
        many = len(config.fallbacks)
        raise UsageError(f"--fallback {number}: the configuration has {many or 'no'} [[relay.fallback]]")
    for warning in config.warnings:
        print_line(f"warning: {warning}", err=True)
    print_line(f"{_announced(config.relays[number], recipient)} ...")
    if config.fallbacks and not number:
        others = ", ".join(fallback.relay.place for fallback in config.fallbacks)
        print_line(f"This does not test what stands in for it ({others}): --fallback 1 does")
    redact, progress = log.Redactor(config.secrets).text, Progress()
    try:
        result = lifecycle.run_once(ends.test_mail(config, number).send(recipient, progress))
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, and SIGTERM
        print_line(redact(_interrupted(progress)))
        raise
    print_line(redact(_relay(result.verdict, result.message_id)))
    print_line(redact(f"identity server: {'' if result.server_fine else 'not usable: '}{result.server}"))
    if not result.server_fine:
        print_line(
            "The sender would not run: it sends no mail until the identity server can be used. "
            f"Exit code {result.exit_code} is about the test mail alone."
        )
    return result.exit_code


def _interrupted(progress: Progress) -> str:
    if progress.verdict is not None:
        known = _relay(progress.verdict, progress.message_id)
        return f"{known}\nInterrupted: nothing is known of the identity server"
    if progress.dot:
        return "Interrupted after the final dot: the mail may have arrived; look into the mailbox"
    return "Interrupted before the final dot: the mail was not sent"


def _announced(relay: RelayConfig | FolderConfig, recipient: str) -> str:
    if isinstance(relay, RelayConfig):
        return f"Sending a test mail to {recipient} through {relay.place} ({relay.security.value})"
    return f"A dry run: writing a test mail to {recipient} into {relay.place}"


def _relay(verdict: Verdict, message_id: str) -> str:
    match verdict:
        case Accepted(reply, is_written=True):
            return f"A dry run: {reply.text}"
        case Accepted(reply):
            return (
                f"Accepted: the relay answered {reply}\n"
                f"  Message-ID {message_id}: look into the mailbox, also into its spam folder"
            )
        case Refused(stage, reason, reply):
            return f"Refused{f' at {stage}' if stage else ''}: {reason}{f': {reply}' if reply else ''}"
        case Deferred(stage, reply) | Throttled(stage, reply):
            return f"Not taken now, at {stage}: {reply}; try again later"
        case RelayDown():
            return f"Not sent: {verdict}"
        case Uncertain(detail):
            return f"Cut off after the final dot ({detail}): the mail may have arrived; look into the mailbox"
