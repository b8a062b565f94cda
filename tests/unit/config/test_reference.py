"""What is said of each key, and which keys a name may mean."""

import pytest

from mail_sender.config import reference

CA_TABLES = ("relay", "relay.oauth", "relay.fallback", "ledger", "alert")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("relay.ca_path", ["relay.ca_path"]),
        ("[relay] ca_path", ["relay.ca_path"]),
        ("MAIL_SENDER_RELAY_CA_PATH", ["relay.ca_path"]),
        ("MAIL_SENDER_TOKEN_FILE", ["token"]),
        ("MAIL_SENDER_CLIENT_URI", ["client.uri"]),
        ("uri", ["client.uri"]),
        ("token", ["token"]),
        ("ca_path", ["client.ca_path", *(f"{table}.ca_path" for table in CA_TABLES)]),
        ("[worker]", ["worker.stop_grace_seconds"]),
        ("relay.warm_up", ["relay.warm_up"]),
        ("start", ["relay.warm_up.start"]),
        ("nonsense", []),
        ("", []),
    ],
)
def test_a_name_may_mean_several_keys(name: str, names: list[str]) -> None:
    """As one has it in the file, in a sentence or in the environment."""
    assert [entry.name for entry in reference.find(name)] == names


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("relay.capath", "relay.ca_path"),
        ("mail_pasword", "mail_password"),
        ("MAIL_SENDER_RELAY_CAPATH", "MAIL_SENDER_RELAY_CA_PATH"),
        ("zzz", None),
    ],
)
def test_the_nearest_name_is_found(name: str, near: str | None) -> None:
    """A misspelt key is no dead end."""
    assert reference.nearest(name) == near


def test_a_description_is_plain_text_for_a_terminal() -> None:
    """Links that lead to more are left out, and named as pages."""
    (entry,) = reference.find("observe.listen")
    assert entry.plain_text.startswith(
        "where health, metrics and a page for people are served over HTTP: 127.0.0.1:9310,"
    )
    assert entry.pages == ("docs/monitoring.md",)
    (headers,) = reference.find("headers")
    assert reference.sentence(headers.plain_text).startswith('Extra headers, Name = "value". Refused are')
