"""`make audit`: every package of the image is under a licence that allows it, and silence of the database is no all-clear."""

import json

import pytest

from scripts import audit


def test_every_package_of_the_image_is_under_a_licence_that_was_decided() -> None:
    """What nobody looked at is not shipped."""
    components = audit.runtime_components()
    assert {"httpx", "cryptography"} <= {one["name"] for one in components}
    assert {one["name"]: audit.licence(one) for one in components if not audit.is_allowed(one)} == {}


@pytest.mark.parametrize(
    ("stated", "is_allowed"),
    [
        ([{"expression": "MIT"}], True),
        ([{"expression": "GPL-3.0-only OR Apache-2.0"}], True),
        ([{"expression": "(MIT AND PSF-2.0)"}], True),
        ([{"expression": "MIT AND GPL-2.0-only"}], False),
        ([{"license": {"name": "BSD License"}}], True),
        (
            [{"license": {"name": "MIT License"}}, {"license": {"name": "GNU General Public License v3 (GPLv3)"}}],
            False,
        ),
        ([{"license": {"name": "Other/Proprietary License"}}], False),
        ([{"license": {"name": "OSI Approved"}}], False),
        ([], False),
    ],
)
def test_a_licence_is_allowed_only_if_it_is_known(stated: list[dict[str, object]], is_allowed: bool) -> None:
    """One of the alternatives is enough; of what counts together, each part has to be allowed."""
    assert audit.is_allowed({"name": "x", "licenses": stated}) is is_allowed


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "no advisory is known for any of 1 packages"),
        (
            [
                {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]},
                {"name": "b", "skip_reason": "x"},
            ],
            1,
            "a 1: PYSEC-1, fixed in ['2']",
        ),
        (
            [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}],
            75,
            "NOT ASKED for advisories: the database answered for 1 of 2",
        ),
        ([], 75, "NOT ASKED"),
        (None, 75, "NOT ASKED"),
    ],
)
def test_a_database_that_did_not_answer_is_no_all_clear(packages: list[object] | None, code: int, said: str) -> None:
    """pip-audit calls it `No known vulnerabilities found`."""
    lines, found = audit.verdict("" if packages is None else json.dumps({"dependencies": packages}))
    assert found == code
    assert said in lines[0]
