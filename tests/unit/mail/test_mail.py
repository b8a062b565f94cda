"""A mail's Message-ID: the same for every attempt, and another one for each recipient and copy."""

import re
from datetime import timedelta

from mail_sender.mail.mail import message_id
from mail_sender.mail.render import render
from tests.support.samples import ELLIE, MAIL, NOW, message, reset


def test_a_message_id_is_the_messages_own_for_every_attempt() -> None:
    """The same message has the same Message-ID at any time, on the From domain."""
    of = message(content=reset(), number=1)
    early, late = (render(of, ELLIE, MAIL, NOW + timedelta(minutes=minutes)) for minutes in (0, 5))
    assert early.message_id == late.message_id == f"<{of.id}@example.com>"


def test_each_recipient_of_several_has_a_mark_of_its_own() -> None:
    """Mails of one message to several recipients have different Message-IDs, each of them stable."""
    recipients = ("a@example.com", "b@example.com", "c@example.com")
    of = message(*recipients, number=1)
    ids = [message_id(of, recipient, MAIL) for recipient in recipients]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(rf"<{of.id}\.[0-9a-f]{{12}}@example\.com>", found) for found in ids)
    assert ids == [render(of, recipient, MAIL, NOW).message_id for recipient in recipients]
    assert ids[0] == message_id(message(*recipients[:2], number=1), "a@example.com", MAIL)


def test_each_copy_that_the_operator_asks_for_has_an_id_of_its_own() -> None:
    """Mailboxes hide a second mail with a Message-ID that they have."""
    of = message(number=1)
    ids = [message_id(of, ELLIE, MAIL, copy) for copy in range(3)]
    assert ids == [f"<{of.id}@example.com>", f"<{of.id}.copy1@example.com>", f"<{of.id}.copy2@example.com>"]
