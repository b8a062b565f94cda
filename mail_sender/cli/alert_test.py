"""What `mail-sender alert test` sends and prints, through the code that real alerts take."""

from datetime import UTC, datetime

from mail_sender import log
from mail_sender.cli.terminal import print_line
from mail_sender.config.config import Config
from mail_sender.observe.alerts.alert import Alert, Severity
from mail_sender.observe.alerts.formats import TEST_KEY
from mail_sender.observe.alerts.loop import Plan
from mail_sender.observe.alerts.receiver import NotDelivered


async def send(config: Config) -> bool:
    """Send a test alert to each receiver, and print what it answers; say whether all have taken it."""
    log.configure(debug=False, form=config.log_format, secrets=config.secrets)
    now = datetime.now(UTC)
    summary = "this is a test of the alerts; nothing is wrong"
    alert = Alert(TEST_KEY, "firing", Severity.INFO, now, now, summary, "nothing is to be done")
    are_taken = []
    for receiver in Plan.of(config.alert, config.mail.instance_url, config.secrets).receivers:
        try:
            print_line(f"{receiver.place}: {await receiver.deliver(alert)}")
            are_taken.append(True)
        except NotDelivered as error:
            print_line(f"not delivered: {error}")
            are_taken.append(False)
    return all(are_taken)
