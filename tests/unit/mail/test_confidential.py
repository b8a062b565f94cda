"""What of a message no log and no ledger may repeat."""

from dataclasses import replace

from mail_sender.mail.render import render
from mail_sender.message import UnknownContent
from mail_sender.templating import template_set
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.template_set import TemplateSet
from tests.support.samples import ELLIE, INTENT, MAIL, NOW, message, reset
from tests.unit.mail.reading import rendered

UNKNOWN = "account_expiry_v1"


def test_a_mail_names_what_nobody_may_repeat() -> None:
    """The link's secret, and the person's name; neither shows in a repr, which a traceback may show."""
    of = message(content=reset("Confidential Name"))
    mail = render(of, ELLIE, MAIL, NOW)
    assert (mail.secrets, mail.names) == ((str(INTENT),), ("Confidential Name",))
    assert "Confidential" not in repr(mail)
    assert str(INTENT) not in repr(mail) + repr(of)


def test_whatever_an_unknown_kind_holds_is_a_secret() -> None:
    """Texts and numbers at any depth, down to a PIN; what is shorter is none, and would hide every "550"."""
    fields = {"a": "word", "b": {"c": ["second", {"d": 1234}]}, "e": "", "f": None, "g": True, "h": 550, "i": "abc"}
    templates = TemplateSet(
        template_set.built_in().ours, {f"{UNKNOWN}/{part}.j2": "x" for part in template_set.PARTS}
    )
    mail = rendered(UnknownContent(UNKNOWN, fields), replace(MAIL, appearance=Appearance(templates)))
    assert mail.secrets == ("word", "second", "1234")
