"""A secret comes out where somebody asks for it by name, and nowhere else."""

import copy
import json
import pickle
import pprint
from dataclasses import asdict, dataclass

import pytest
import structlog
from pydantic import BaseModel

from mail_sender.names.secret import Secret

TEXT = "hunter2-S3cr3t"


@dataclass(frozen=True)
class _Holder:
    secret: Secret


class _Model(BaseModel):
    secret: Secret


def test_no_way_to_show_a_secret_shows_it() -> None:
    """Print, format, a debugger's view, a model's dump, a logger that shows any object: stars."""
    secret, model = Secret(TEXT), _Model.model_validate({"secret": TEXT})
    shown = [
        str(secret), repr(secret), f"{secret}", f"{secret!s:>20}", "%s %r" % (secret, secret),  # noqa: UP031 - one more way
        repr(_Holder(secret)), str(asdict(_Holder(secret))), pprint.pformat({"a": [secret]}), repr(model),
        model.model_dump_json(), str(model.model_dump()), json.dumps({"a": secret}, default=str), str(dir(secret)),
        str(structlog.processors.JSONRenderer()(None, "", {"a": secret})),
    ]  # fmt: skip
    assert [text for text in shown if TEXT in text] == []
    assert not hasattr(secret, "__dict__")
    assert model.secret.get_secret_value() == TEXT


def test_a_secret_is_never_pickled_and_a_copy_is_the_same() -> None:
    """What is pickled ends up in files and pipes."""
    secret = Secret(TEXT)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps({"a": secret}, protocol)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_are_compared_by_what_they_hold() -> None:
    """So that a set has each once, and a configuration read anew equals the one before."""
    assert {Secret(TEXT), Secret(TEXT)} == {Secret(TEXT)}
    assert Secret(TEXT) != Secret("another")
    assert Secret(TEXT) != TEXT
    assert len(Secret("ü\udc80")) == 2
    assert Secret("ü\udc80") == Secret("ü\udc80")
