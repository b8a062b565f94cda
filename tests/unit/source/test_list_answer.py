"""A list is read as it arrives, wherever it is cut into pieces; one strange entry of it hides no other."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.source.decoding import UNREADABLE, NotAList
from mail_sender.source.list_answer import LARGEST_ENTRY, ListAnswer

START = '{"schemas": [], "totalResults": 3, "resources": ['


SIZES = st.sampled_from([1, 2, 3, 7, 50, 10_000])


def entries(text: str, size: int = 65_536, found: ListAnswer | None = None) -> list[object]:
    """Return the entries of a list answer that arrives in pieces of this size."""
    found = found or ListAnswer()
    read = [entry for at in range(0, len(text), size) for entry in found.feed(text[at : at + size])]
    found.close()
    return read


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=10)),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.lists(JSON, max_size=5),
    st.dictionaries(st.text(max_size=3), JSON, max_size=3),
    st.sampled_from([None, 2]),
    SIZES,
)
def test_a_list_is_what_it_is_to_every_other_reader_of_json(
    resources: list[object], rest: dict[str, object], indent: int | None, size: int
) -> None:
    """Whatever its entries are, what stands beside them, and however it is laid out."""
    answer = {**rest, "totalResults": len(resources), "resources": resources}
    found = ListAnswer()
    assert entries(json.dumps(answer, indent=indent), size, found) == resources
    assert found.total == len(resources)


@pytest.mark.parametrize(
    "answer",
    ["", " ", "null", "[]", '"x"', "{", "{}", "5", "[" * 100_000, '{"resources"}', '{"resources": null}',
     '{"resources": {}}', '{"Resources": []}', "{'resources': []}", '{"resources": [}', '{"resources": [1 2]}',
     '{"resources": []', '{"resources": []} x', '{"resources": [' + "[" * 100_000, '{"resources": [nul]}',
     START + '"' + '\\"' * 300_000, START + "9" * 300_000, "<html></html>"],
    ids=lambda answer: answer[:30] or "nothing",
)  # fmt: skip
def test_what_is_no_list_is_said_to_be_none(answer: str) -> None:
    """A list has `resources`, in lower case, and an end."""
    for size in (7, 10_000, 10**7):
        if len(answer) <= 1_000 * size:
            with pytest.raises(NotAList):
                entries(answer, size)


@given(st.integers(0, 200), SIZES)
def test_half_a_list_is_no_list(cut: int, size: int) -> None:
    """Wherever it is cut."""
    whole = START + ", ".join(json.dumps({"id": str(number)}) for number in range(20)) + "]}"
    with pytest.raises(NotAList):
        entries(whole[:cut], size)


STRANGE = {
    "too many digits": "9" * 5_000,
    "digits without end": "9" * (LARGEST_ENTRY + 1),
    "too deep": "[" * 100_000 + "]" * 100_000,
    "a deep object": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "too long": '{"a": "' + "x" * LARGEST_ENTRY + '"}',
    "a text with brackets": '"' + ']}[{,\\"' * LARGEST_ENTRY + '"',
    "too many members": '{"a": [' + "[]," * (LARGEST_ENTRY // 3) + "[]]}",
}


@pytest.mark.parametrize("name", STRANGE)
def test_an_entry_that_cannot_be_decoded_hides_no_other(name: str) -> None:
    """Numbers, depth and length have bounds; the next entry is read."""
    text = f'{START}{{"a": 1}}, {STRANGE[name]}, {{"b": 2}}], "c": {STRANGE[name]}}}'
    for size in (9_973, 65_536, len(text)):
        found = ListAnswer()
        assert entries(text, size, found) == [{"a": 1}, UNREADABLE, {"b": 2}]
        assert found.total == 3


def test_an_entry_is_decoded_up_to_its_limit() -> None:
    """A long one takes a second look; it is whole."""
    for length in (4_000, 4_085, 4_086, 4_096, 4_097, 100_000):
        assert entries(f'{START}"{"x" * length}",5]}}') == ["x" * length, 5]


@pytest.mark.parametrize(
    "hostile", [START + '"' + '\\"' * 2_000_000, START + "[" * 1_000_000, START + "{}," * 200_000]
)
def test_a_hostile_list_takes_time_by_its_length_alone(hostile: str) -> None:
    """Not by its square."""
    began = time.process_time()
    with pytest.raises(NotAList):
        entries(hostile)
    assert time.process_time() - began < 2.0


# What is known by its text


@given(st.lists(st.tuples(JSON, st.booleans()), max_size=8), st.sampled_from([",", ", ", ",\n  "]), SIZES)
def test_what_is_not_known_is_given_whatever_is_known_beside_it(
    resources: list[tuple[object, bool]], comma: str, size: int
) -> None:
    """In its order, whole; nothing else is given but what may be known as well."""
    texts = [json.dumps(entry) for entry, _ in resources]
    known = {text for text, (_, is_known) in zip(texts, resources, strict=True) if is_known}
    passed: list[str] = []

    def is_known(text: str) -> bool:
        if text in known:
            passed.append(text)
        return text in known

    found = ListAnswer(is_known)
    given = entries(f"{START}{comma.join(texts)}]}}", size, found)
    new = [json.loads(text) for text in texts if text not in known]
    assert [entry for entry in given if json.dumps(entry) not in known] == new
    assert sorted([*passed, *map(json.dumps, given)]) == sorted(texts)


@pytest.mark.parametrize("size", [1_000, 65_536])
def test_of_a_list_that_is_known_next_to_nothing_is_decoded(size: int) -> None:
    """Wherever its pieces end; the text of what is given is told."""
    texts = [json.dumps({"schemas": [], "id": number, "to": [{"a": 1}, {"a": 2}]}) for number in range(500)]
    known = {*texts[:250], *texts[251:]}
    found = ListAnswer(known.__contains__)
    text = START + ",".join(texts) + "]}"
    given = [found.entry for at in range(0, len(text), size) for _ in found.feed(text[at : at + size])]
    found.close()
    assert texts[250] in given
    assert len(given) <= 2 + len(text) // size / 3  # a piece may end between an entry and its comma
