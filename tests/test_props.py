"""What the engine sends becomes the dataclass, and the dataclass what the engine gets: types, secrets, unknowns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.errors import StateError
from environments.ids import BranchId
from environments.props import (
    UNKNOWN,
    UNKNOWN_VALUE,
    Lasting,
    NotKnownError,
    Secret,
    Unknown,
    Unwatched,
    decode,
    differing,
    encode,
    hidden,
    known,
    secrets_in,
)


@dataclass(frozen=True, kw_only=True)
class Size:
    min_cu: float
    suspend_seconds: int = 300


@dataclass(frozen=True, kw_only=True)
class Place:
    branch: BranchId
    endpoint: str


@dataclass(frozen=True, kw_only=True)
class All:
    branch: BranchId | Unknown
    place: Place | Unknown
    url: Secret[str | Unknown]
    size: Size
    kind: Literal["clone", "empty"] = "clone"
    tags: tuple[str, ...] = ()
    both: tuple[str, int] = ("a", 1)
    counts: Mapping[str, int]
    note: str | None = None
    words: Unwatched[str] = ""
    kept: Lasting[bool] = False


WIRE: dict[str, Any] = {
    "branch": "br-1",
    "place": {"branch": "br-1", "endpoint": "ep-1"},
    "url": hidden("postgresql://app:secret@host/db"),
    "size": {"minCu": 0.25, "suspendSeconds": 60.0},
    "kind": "empty",
    "tags": ["a", "b"],
    "both": ["x", 2.0],
    "counts": {"prod_v1": 3.0},
    "words": "of the review",
    "kept": True,
}


def made(**changes: Any) -> All:
    return decode(All, WIRE | changes)


def test_every_type_is_decoded_and_encoded_again() -> None:
    found = made()
    assert found.size == Size(min_cu=0.25, suspend_seconds=60)
    assert isinstance(found.size.suspend_seconds, int)
    assert isinstance(found.counts["prod_v1"], int), "a key of a mapping stays as it is, its value is a number"
    assert found.place == Place(branch=BranchId("br-1"), endpoint="ep-1")
    assert found.url == "postgresql://app:secret@host/db"
    assert decode(All, encode(found)) == found
    assert encode(found)["url"] == WIRE["url"], "what is secret by its type is hidden"


def test_a_mapping_is_in_the_order_of_its_keys_since_the_engines_has_none() -> None:
    assert list(made(counts={"prod-v2": 1.0, "prod-v1": 2.0}).counts) == ["prod-v1", "prod-v2"]


def test_what_is_left_out_has_its_default_and_nothing_is_left_out_of_none() -> None:
    found = decode(All, {key: value for key, value in WIRE.items() if key not in ("kind", "tags", "note", "both")})
    assert (found.kind, found.tags, found.note, found.both) == ("clone", (), None, ("a", 1))
    assert "note" not in encode(found)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"size": {"suspendSeconds": 60}}, "size.minCu is missing"),
        ({"size": {"minCu": "0.25"}}, "size.minCu is '0.25', not float"),
        ({"size": {"minCu": 1, "suspendSeconds": 1.5}}, "size.suspendSeconds is 1.5, not int"),
        ({"size": {"minCu": True}}, "size.minCu is True, not float"),
        ({"kind": "copy"}, "kind is 'copy', not one of clone, empty"),
        ({"tags": "a"}, "tags is 'a'"),
        ({"tags": ["a", 1]}, r"tags\[1\] is 1, not str"),
        ({"both": ["a"]}, "both is"),
        ({"counts": {"t": "3"}}, "counts.t is '3', not int"),
        ({"branch": 7}, "branch is 7, not str"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_path(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(StateError, match=told):
        made(**changes)


def test_an_unknown_value_is_a_type_of_its_own() -> None:
    found = made(branch=UNKNOWN_VALUE, url=hidden(UNKNOWN_VALUE))
    assert found.branch is UNKNOWN
    assert found.url is UNKNOWN
    assert encode(found)["branch"] == UNKNOWN_VALUE
    with pytest.raises(NotKnownError, match="the branch is not known"):
        known(found.branch, "the branch")
    assert known(made().branch) == "br-1"


def test_a_part_that_is_not_known_makes_the_whole_unknown_where_its_type_says_so() -> None:
    assert made(place={"branch": "br-1", "endpoint": UNKNOWN_VALUE}).place is UNKNOWN


def test_a_value_that_is_always_known_by_its_type_and_is_not_is_an_error() -> None:
    with pytest.raises(NotKnownError, match=r"size\.minCu"):
        made(size={"minCu": UNKNOWN_VALUE})


def test_only_watched_inputs_differ_and_an_unknown_one_always_does() -> None:
    assert differing(made(), made()) == []
    assert differing(made(), made(words="others")) == []
    assert differing(made(), made(size={"minCu": 1}, tags=[])) == ["size", "tags"]
    assert differing(made(branch=UNKNOWN_VALUE), made(branch=UNKNOWN_VALUE)) == ["branch"]


def test_secrets_are_found_wherever_they_stand() -> None:
    values = {"a": hidden({"b": ["first secret", 3]}), "c": {"d": [hidden("second secret"), "plain text"]}}
    assert sorted(secrets_in(values)) == ["first secret", "second secret"]


@given(
    st.builds(
        All,
        branch=st.text() | st.just(UNKNOWN),
        place=st.builds(Place, branch=st.text(), endpoint=st.text()),
        url=st.text(),
        size=st.builds(Size, min_cu=st.floats(0, 60), suspend_seconds=st.integers(-1, 10**6)),
        kind=st.sampled_from(["clone", "empty"]),
        tags=st.lists(st.text()).map(tuple),
        both=st.tuples(st.text(), st.integers(0, 2**40)),
        counts=st.dictionaries(st.text(), st.integers(0, 2**50)),
        note=st.none() | st.text(),
        words=st.text(),
        kept=st.booleans(),
    )
)
def test_nothing_is_lost_on_the_way_there_and_back(value: All) -> None:
    if UNKNOWN_VALUE not in (value.branch, value.url, value.note, value.words):
        assert decode(All, encode(value)) == value
