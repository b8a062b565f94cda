"""What `init` asks: each key of the two files with its flag, its words and its default."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mail_sender.relay.presets import presets

Answers = Mapping[str, str]
"""The answers that there are, by key, as `mail_relay` or `relay.ca_path`; an empty text is an answer, too."""


class File(Enum):
    """Which of the two files a key belongs into."""

    CLIENT = "client config"
    SENDER = "mail-sender config"


@dataclass(frozen=True, slots=True)
class Question:
    """One key that is asked for.

    `text` is what a terminal shows, `hint` what stands above it for the first time, and `meaning` what `flag` takes,
    for those who write scripts. `follows` is the key whose answer is proposed. One that is `is_secret` is not shown
    while it is typed. The answer to one that `is_path` is kept in full: the sender is started somewhere else.
    """

    key: str
    file: File
    flag: str
    text: str
    meaning: str
    hint: str
    follows: str | None = None
    is_secret: bool = False
    is_optional: bool = False
    is_path: bool = False

    def taken(self, text: str) -> str:
        """Return an answer as it is kept."""
        return str(Path(text).absolute()) if self.is_path and text else text


QUESTIONS: Mapping[str, Question] = {
    question.key: question
    for question in (
        Question(
            "uri",
            File.CLIENT,
            "--uri",
            "URL of the identity server",
            "the identity server's URL, such as https://idm.example.com",
            hint="The URL of your Kanidm, such as https://idm.example.com.",
        ),
        Question(
            "ca_path",
            File.CLIENT,
            "--ca",
            "CA of the identity server",
            "a PEM file with the CA of the identity server",
            hint="A PEM file whose certificates are trusted for the identity server; empty: none.",
            is_optional=True,
            is_path=True,
        ),
        Question(
            "instance_display_name",
            File.SENDER,
            "--display-name",
            "Name in mails",
            "the name before each subject, and beside the From address",
            hint="Your name, as it stands before each subject and beside the From address.",
        ),
        Question(
            "instance_url",
            File.SENDER,
            "--instance-url",
            "URL in mails",
            "the URL with which the links in mails begin",
            hint="The URL at which people reach the identity server: the links in mails begin with it.",
            follows="uri",
        ),
        Question(
            "mail_from_address",
            File.SENDER,
            "--from-address",
            "From address",
            "the address that mails come from, without a name",
            hint="The address that mails come from, without a name, such as idm@example.com.",
        ),
        Question(
            "mail_reply_to_address",
            File.SENDER,
            "--reply-to",
            "Reply-To address",
            "the address that receives the answers of people",
            hint="The address that receives the answers of people.",
            follows="mail_from_address",
        ),
        Question(
            "token",
            File.SENDER,
            "--token-file",
            "Token",
            "a file with the token, or - for standard input",
            hint="The token that the last command printed. It is not shown while you paste it.",
            is_secret=True,
        ),
        Question(
            "mail_relay",
            File.SENDER,
            "--relay",
            "Relay",
            "the relay: smtps://host[:465], smtp://host[:587] (STARTTLS), host or host:port",
            hint="Where your mails go: smtps://host[:465], smtp://host[:587] (STARTTLS), a host, or a provider "
            f"({', '.join(presets())}).",
        ),
        Question(
            "relay.preset",
            File.SENDER,
            "--preset",
            "Provider",
            "the provider of the relay, such as sendgrid",
            hint="The provider of the relay: what is the same for all its customers is known.",
            is_optional=True,
        ),
        Question(
            "relay.region",
            File.SENDER,
            "--region",
            "Region",
            "the region of the provider",
            hint="The region of the provider, as its console shows it.",
        ),
        Question(
            "relay.ca_path",
            File.SENDER,
            "--relay-ca",
            "CA of the relay",
            "a PEM file with the CA of the relay",
            hint="A PEM file whose certificates are trusted for the relay; empty: none.",
            is_optional=True,
            is_path=True,
        ),
        Question(
            "mail_username",
            File.SENDER,
            "--username",
            "User at the relay",
            "the user at the relay, if it wants a login",
            hint="The login at the relay; empty: it wants none.",
            is_optional=True,
        ),
        Question(
            "mail_password",
            File.SENDER,
            "--password-file",
            "Password at the relay",
            "a file with the password, or - for standard input",
            hint="The password, or an app password. It is not shown while you type it.",
            is_secret=True,
        ),
        Question(
            "ledger.path",
            File.SENDER,
            "--state",
            "State folder",
            "the folder of the ledger",
            hint="The folder of the ledger, which remembers what was sent.",
            is_optional=True,
            is_path=True,
        ),
    )
}
"""All of them, in the order in which they are asked."""
