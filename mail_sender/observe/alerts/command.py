"""The command: a program that is started for each alert (`relay.program`).

It gets the alert as JSON on standard input and as variables of the environment, and has taken it if it exits with 0.
"""

import json
from collections.abc import Mapping

from mail_sender.observe.alerts.alert import Alert, Origin, fields
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.receiver import LONGEST_ANSWER, SECONDS, NotDelivered, shown
from mail_sender.relay import program
from mail_sender.relay.program import NotStarted, Printed

_PREFIX = "MAIL_SENDER_ALERT_"
_ADVICE = "run `mail-sender alert test`, and the program by hand"


class Command:
    """The receiver that is the program of `[alert] command`; its arguments are never shown."""

    name = "command"

    def __init__(self, config: AlertConfig, origin: Origin) -> None:
        self._config = config
        self._origin = origin
        self.place = f"the command {config.program}"

    async def deliver(self, alert: Alert) -> str:
        """Run the program, and return what it printed. Raises `NotDelivered`."""
        printed = Printed(LONGEST_ANSWER)
        values = fields(alert, self._origin)
        given, variables = json.dumps(values).encode(), _variables(values)
        try:
            status = await program.run(self._config.command, printed, SECONDS, given=given, variables=variables)
        except TimeoutError:
            detail = f"{self.place} did not end within {SECONDS:.0f} s{self._said(printed)}"
            raise NotDelivered(detail, _ADVICE) from None
        except NotStarted as error:
            advice = "correct [alert] command: a program and its arguments, each a text of its own"
            raise NotDelivered(f"{self.place} cannot be started: {error}", advice) from None
        if status:
            detail = f"{self.place} {program.ending(status)}{self._said(printed)}"
            raise NotDelivered(detail, _ADVICE, is_answered=True)
        return f"exit code 0{self._said(printed)}"

    def _said(self, printed: Printed) -> str:
        text = shown(bytes(printed.output), self._config)
        return f": {text}" if text else ""


def _variables(values: Mapping[str, object]) -> dict[str, str]:
    return {f"{_PREFIX}{name.upper()}": "" if value is None else str(value) for name, value in values.items()}
