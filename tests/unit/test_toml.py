"""TOML is read as Kanidm's parser reads it, and whatever is wrong with a text is said in words."""

import pytest

from mail_sender import toml

NOT_TOML = {
    "a = 1\nb = \n": 2,
    "a = " + "[" * 100_000: None,
    "a = " + "9" * 5_000: None,
}


def test_toml_1_1_is_read() -> None:
    """With line breaks inside a table, as TOML 1.0 does not have them."""
    assert toml.loads("a = {\n  b = 1,\n}") == {"a": {"b": 1}}


@pytest.mark.parametrize("text", NOT_TOML, ids=["syntax", "depth", "digits"])
def test_what_cannot_be_read_is_said_in_words(text: str) -> None:
    """With the line where it is known: a syntax error, what is nested too deep, a number of thousands of digits."""
    with pytest.raises(toml.NotToml) as caught:
        toml.loads(text)
    assert caught.value.found
    assert caught.value.line == NOT_TOML[text]
