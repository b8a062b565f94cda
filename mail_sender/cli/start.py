"""The start of what sends mail: the configuration is loaded, the log set up, and the sender or a test mail begins.

What only one run or a test mail needs is imported inside it: a sender would keep it for weeks. For the same reason a
sender's configuration is read by another process (`config.child`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mail_sender import lifecycle, log
from mail_sender.config import child
from mail_sender.config.config import Config
from mail_sender.errors import Exit
from mail_sender.names.secret import Secret
from mail_sender.wiring import serve

if TYPE_CHECKING:
    from mail_sender.wiring.once import Show


class Start:
    """What begins with the configuration of two files; `dry_run` is the folder that takes the relay's place, if any.

    Each way to begin loads it, and raises `ConfigError`.
    """

    def __init__(self, client_config: Path, sender_config: Path, dry_run: Path | None, debug: bool) -> None:
        self._files = client_config, sender_config, dry_run
        self._debug = debug

    def sender(self) -> Exit:
        """Run the sender until a signal ends it."""
        config = child.load(self._files)
        self._log(config)
        return lifecycle.run(
            lambda signals: serve.run(config, lambda: self._load_anew(config), signals),
            config.sender.stop_grace_seconds,
        )

    def once(self) -> Exit:
        """Run once, with a bar if there is a terminal: elsewhere the log shows how far it has come."""
        from mail_sender.cli.progress import on_a_terminal, progress  # noqa: PLC0415 - see the module's text

        config = self._load()
        if not on_a_terminal():
            return self._once(config, None)
        with progress("done") as show:
            return self._once(config, show)

    def test_mail(self, recipient: str, fallback: int | None) -> Exit:
        """Send one test mail, through the relay or through the fallback with this number. Raises `UsageError`."""
        from mail_sender.cli import test_mail  # noqa: PLC0415 - see the module's text

        return test_mail.send(self._load(), recipient, fallback or 0)

    def _once(self, config: Config, show: "Show | None") -> Exit:
        from mail_sender.wiring import once  # noqa: PLC0415 - see the module's text

        return lifecycle.run(
            lambda signals: once.run(config, signals, show), config.sender.stop_grace_seconds, Exit.TEMPORARY
        )

    def _load(self) -> Config:
        from mail_sender.config import load  # noqa: PLC0415 - see the module's text

        config = load.load(*self._files)
        self._log(config)
        return config

    def _load_anew(self, first: Config) -> Config:
        changed = child.load_anew(self._files, first)
        self._log(changed, first.secrets)
        return changed

    def _log(self, config: Config, earlier: frozenset[Secret] = frozenset()) -> None:
        log.configure(debug=self._debug, form=config.log_format, secrets=earlier | config.secrets)
