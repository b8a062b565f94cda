"""A sample is a whole message of its kind; data of one's own match it, or a sentence says why not."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.message import CredentialReset, UnknownContent
from mail_sender.preview.sample_mail import render_sample
from mail_sender.templating import samples
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.samples import BadData
from tests.support.samples import MAIL, NOW

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
FIELDS = st.dictionaries(st.sampled_from(["display_name", "intent_id", "minutes", "other"]), JSON)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_without_data_is_made_up_and_works(kind: str) -> None:
    """Each kind's mail can be looked at before there is one."""
    found = samples.message(kind, NOW)
    assert found.content.kind == kind
    assert found.recipients == (samples.RECIPIENT,)
    assert found.deadline > NOW + timedelta(minutes=5)


def test_data_replace_what_is_made_up_field_by_field() -> None:
    """What is not in the data stays."""
    content = samples.message("credential_reset_v1", NOW, {"minutes": 5}).content
    assert content == CredentialReset(samples.NAME, samples.INTENT, NOW + timedelta(minutes=5))


def test_an_unknown_kind_takes_all_fields_as_they_are() -> None:
    """Nobody knows what it has."""
    content = samples.message("account_locked_v1", NOW, {"reason": ["x"]}).content
    assert content == UnknownContent("account_locked_v1", {"reason": ["x"]})


@given(kind=st.sampled_from([*KINDS]), fields=FIELDS)
def test_whatever_stands_in_the_data_makes_a_mail_or_a_sentence(kind: str, fields: dict[str, Any]) -> None:
    """No field of any type or size gets further than that."""
    try:
        made = render_sample(MAIL, kind, "en", fields)
    except BadData:
        return
    assert made.mail.fault is None
    assert dict(made.headers)["To"] == samples.RECIPIENT
