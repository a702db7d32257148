"""Makes schemas at random: their text, and what reading it must give."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True).filter(lambda name: name not in {"sid", "true", "false"})
PRIMITIVES = st.sampled_from(["str", "bool", "u8", "i64", "f64", "time", "otime", "any", "u32"])
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters='"\\\n', categories=["L", "N", "P", "S", "Zs"]), max_size=8
)
ENUMERATIONS = st.lists(TEXTS, min_size=2, max_size=4, unique=True).map(
    lambda values: " | ".join(f'"{value}"' for value in values)
)
TYPES = st.recursive(
    PRIMITIVES | ENUMERATIONS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"[{one}]"),
        inner.map(lambda one: f"{{str: {one}}}"),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: f"({', '.join(items)})"),
        st.dictionaries(NAMES, inner, min_size=2, max_size=3).map(
            lambda fields: "{ " + " ".join(f"{name}x: {one}" for name, one in fields.items()) + " }"
        ),
    ),
    max_leaves=8,
)
#: Fields: name -> (optional, type, index).
FIELDS = st.dictionaries(
    NAMES.map(lambda name: f"f{name}"), st.tuples(st.booleans(), TYPES, st.sampled_from(["", "@index", "# [index]"])),
    min_size=1, max_size=5,
)  # fmt: skip
COMMENTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=10)


def written(fields: dict[str, tuple[bool, str, str]], comment: str = "") -> str:
    """Write an object with these fields."""
    lines = [f"    {name}{'?' * optional}: {one} {index}" for name, (optional, one, index) in fields.items()]
    return "\n".join([f"# {comment} [rootobject]", "Thing = {", "    sid: str", *lines, "}"])
