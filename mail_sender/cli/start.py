"""The start of what sends mail: the configuration is loaded, the log set up, and the sender or a test mail begins.

What only one run or a test mail needs is imported inside it: a sender would keep it for weeks.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mail_sender import lifecycle, log
from mail_sender.config import load as configuration
from mail_sender.config.config import Config
from mail_sender.errors import Exit
from mail_sender.wiring import serve

if TYPE_CHECKING:
    from mail_sender.wiring.once import Show


class Start:
    """Loads the configuration of two files; `dry_run` is the folder that takes the relay's place, if there is one.

    Raises `ConfigError`.
    """

    def __init__(self, client_config: Path, sender_config: Path, dry_run: Path | None, debug: bool) -> None:
        self._files = client_config, sender_config, dry_run
        self._debug = debug
        self._config = configuration.load(*self._files)
        self._log(self._config)

    def sender(self) -> Exit:
        """Run the sender until a signal ends it."""
        config = self._config
        return lifecycle.run(
            lambda signals: serve.run(config, self._load_anew, signals), config.sender.stop_grace_seconds
        )

    def once(self) -> Exit:
        """Run once, with a bar if there is a terminal: elsewhere the log shows how far it has come."""
        from mail_sender.cli.progress import on_a_terminal, progress  # noqa: PLC0415 - see the module's text

        if not on_a_terminal():
            return self._once(None)
        with progress("done") as show:
            return self._once(show)

    def test_mail(self, recipient: str, fallback: int | None) -> Exit:
        """Send one test mail, through the relay or through the fallback with this number. Raises `UsageError`."""
        from mail_sender.cli import test_mail  # noqa: PLC0415 - see the module's text

        return test_mail.send(self._config, recipient, fallback or 0)

    def _once(self, show: "Show | None") -> Exit:
        from mail_sender.wiring import once  # noqa: PLC0415 - see the module's text

        grace_seconds = self._config.sender.stop_grace_seconds
        return lifecycle.run(lambda signals: once.run(self._config, signals, show), grace_seconds, Exit.TEMPORARY)

    def _load_anew(self) -> Config:
        changed = configuration.load_anew(self._config, *self._files)
        self._log(changed)
        return changed

    def _log(self, config: Config) -> None:
        secrets = self._config.secrets | config.secrets
        log.configure(debug=self._debug, form=config.log_format, secrets=secrets)
