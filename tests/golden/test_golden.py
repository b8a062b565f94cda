"""The mails as they were reviewed, kept as files beside this one: a change of one is seen, read and meant.

`<kind>.<language>.eml` are whole mails, `<kind>.<language>.txt` the subject and the text of those in the other
languages. After a change that is meant, `GOLDEN=write pytest tests/golden` writes them anew; read the difference
before it is committed. With CI=true nothing is written.
"""

import os
from pathlib import Path

import pytest

from mail_sender.mail.config import MailConfig
from tests.golden import samples
from tests.golden.samples import ACME, ELLIE, KIND_NAMES, REVIEWED, UNREVIEWED

FOLDER = Path(__file__).parent

MAILS: dict[str, tuple[str, MailConfig]] = {
    **{f"{kind}.{tag}.eml": (kind, samples.config(tag)) for kind in KIND_NAMES for tag in REVIEWED},
    **{f"{kind}.de-en.eml": (kind, samples.config("de", "en")) for kind in KIND_NAMES},
    **{f"{kind}.brand.eml": (kind, samples.config("en", brand=ACME)) for kind in KIND_NAMES},
}
TEXTS: dict[str, tuple[str, MailConfig]] = {
    f"{kind}.{tag}.txt": (kind, samples.config(tag)) for kind in KIND_NAMES for tag in UNREVIEWED
}


def mail(kind: str, config: MailConfig) -> bytes:
    """Return the whole mail."""
    return samples.mail(samples.content(kind), config).content


def text(kind: str, config: MailConfig) -> bytes:
    """Return its subject and its text."""
    content = mail(kind, config)
    return f"Subject: {samples.parsed(content)['Subject']}\n\n{samples.body(content, 'plain')}".encode()


def kept(name: str, made: bytes) -> bytes:
    """Return what is kept under a name, written anew first where that was asked for."""
    path = FOLDER / name
    if os.environ.get("GOLDEN") == "write" and os.environ.get("CI") != "true":
        path.write_bytes(made)
    return path.read_bytes() if path.exists() else b""


HOW = "has changed: if that is meant, GOLDEN=write pytest tests/golden, and read the difference"


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_the_one_that_was_reviewed(name: str) -> None:
    """Byte for byte: every header, encoding and boundary."""
    made = mail(*MAILS[name])
    assert made == kept(name, made), f"{name} {HOW}"


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_the_one_that_was_reviewed(name: str) -> None:
    """Subject and text, as a person reads them."""
    made = text(*TEXTS[name])
    assert made == kept(name, made), f"{name} {HOW}"


def test_nothing_else_is_kept() -> None:
    """A file whose mail is no longer made would look reviewed for ever."""
    assert {path.name for path in FOLDER.iterdir() if path.suffix in {".eml", ".txt"}} == {*MAILS, *TEXTS}


@pytest.mark.parametrize("name", MAILS)
def test_a_link_stands_alone_on_its_line_and_whole(name: str) -> None:
    """Where a mail has a link, its text can be copied from, and the encoded bytes do not cut it where they are plain."""
    kind, config = MAILS[name]
    lines = samples.body((FOLDER / name).read_bytes(), "plain").splitlines()
    for page in ("reset", "revoke") if kind == "credential_reset_v1" else ():
        count = len(config.appearance.languages.of(ELLIE))
        assert lines.count(f"https://idm.example.com/ui/{page}?token={samples.INTENT}") == count
