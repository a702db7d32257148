"""Who may do what in a context: the table of the one function that decides it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_job.model.objects.acl import GROUP_PREFIX, Acl, Right, decode_acl, may
from hero_job.model.objects.errors import ObjectInvalid

READ, WRITE, ADMIN = Right.READ, Right.WRITE, Right.ADMIN
ACL = (
    Acl()
    .granted(READ, "reader").granted(WRITE, "writer").granted(ADMIN, "admin")
    .granted(WRITE, "group:team").granted(READ, "group:missing").granted(READ, "group:loop")
    .joined("team", "tess").joined("team", "group:inner").joined("inner", "inge").joined("inner", "group:team")
    .joined("loop", "group:loop")
)  # fmt: skip

#: Caller -> the greatest right that it has in the context "owner".
TABLE: dict[str | None, Right | None] = {
    None: ADMIN,  # the operator
    "owner": ADMIN,
    "admin": ADMIN,
    "writer": WRITE,
    "reader": READ,
    "tess": WRITE,
    "inge": WRITE,  # by a group in a group, in a circle
    "stranger": None,
    "team": None,  # the name of a group is no caller
    "group:team": None,  # nor is one that is spelled like a member
    "group:missing": None,
    "": None,
    "Owner": None,
}


@pytest.mark.parametrize(("caller_id", "has"), TABLE.items())
@pytest.mark.parametrize("right", Right)
def test_a_caller_has_the_rights_of_the_table(caller_id: str | None, has: Right | None, right: Right) -> None:
    assert may(caller_id, "owner", ACL, right) == (has is not None and has >= right)


@pytest.mark.parametrize("caller_id", [caller for caller in TABLE if caller not in (None, "owner")])
def test_without_lists_only_the_owner_and_the_operator_have_a_right(caller_id: str) -> None:
    assert not may(caller_id, "owner", Acl(), READ)


@pytest.mark.parametrize(
    "text", [None, "", "x", "7 not json", '3 {"read": 5}', '3 {"groups": {"a": 5}}', "5 []", "5 7"]
)
def test_lists_that_cannot_be_read_give_no_right(text: str | None) -> None:
    assert not may("reader", "owner", decode_acl(text), READ)


def test_lists_survive_being_stored() -> None:
    stored = decode_acl(ACL.encode())

    assert stored.version == ACL.version + 1
    assert stored.as_json() == ACL.as_json()


def test_what_is_taken_away_is_gone() -> None:
    acl = ACL.revoked(WRITE, "writer").left("team", "group:inner").left("inner", "nobody")

    assert acl.right_of("writer") is None
    assert acl.right_of("inge") is None
    assert acl.right_of("tess") is WRITE


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "group:", "group: "])
def test_names_are_bounded(name: str) -> None:
    with pytest.raises(ObjectInvalid, match="invalid name"):
        Acl().granted(READ, name)


def test_lists_are_bounded() -> None:
    acl = Acl(lists={READ: frozenset(map(str, range(1000)))})
    with pytest.raises(ObjectInvalid, match="1000 members"):
        acl.granted(READ, "one more")
    with pytest.raises(ObjectInvalid, match="200 groups"):
        Acl(groups={str(n): frozenset("a") for n in range(200)}).joined("one more", "a")


MEMBERS = st.sampled_from(["a", "b", "group:x", "group:y", "group:z", "group:none"])


@given(
    st.frozensets(MEMBERS), st.dictionaries(st.sampled_from("xyz"), st.frozensets(MEMBERS)), st.sampled_from(["a", "b"])
)
def test_groups_hold_what_can_be_reached_through_them(
    members: frozenset[str], groups: dict[str, frozenset[str]], caller_id: str
) -> None:
    reached = set(members)
    for _ in range(10):  # more rounds than there are groups
        reached |= {one for group in reached for one in groups.get(group.removeprefix(GROUP_PREFIX), ())}

    assert may(caller_id, "owner", Acl(lists={READ: members}, groups=groups), READ) == (caller_id in reached)
