"""Hypothesis strategies for scripts, blocks, parameters and playbooks, from tidy to hostile."""

from __future__ import annotations

from hypothesis import strategies as st

from hero_engine.languages.heroscript import Action, ActionType, Params

# The pieces that the grammar reacts to, because purely random text would hardly ever open a quote inside a list.
PIECES = (
    *(
        "'",
        '"',
        "'''",
        '"""',
        ":",
        ",",
        " ",
        "  ",
        "\n",
        "\n  ",
        "\n    ",
        "\n  //",
        "//",
        " //",
        "/",
        "\\",
        "\\'",
        "\\n",
    ),
    *(
        "\\\\n",
        '\\"',
        "<BR>",
        "<<BR>>",
        "<!--",
        "-->",
        "-",
        "#",
        "!",
        "\n!!",
        "\n!!a.b ",
        "\n  '\n",
        '\n  "\n',
        "[",
        "]",
    ),
    *("{", "}", "a", "b", "key", "name:", "id:", "x:1", "é", "\t", "\r", "\v", "\f", "\x00", "_", ".", "a.b", "//c-/"),
    *("k:'\n", "k:'''\n", "list:a,", "'a b',", "\u2028", "\xa0", "![", "cid:", "\n \n", "\n\n", "=", 'body: """\n'),
)
blocks = st.one_of(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.text(max_size=60))
scripts = st.one_of(blocks, blocks.map("!!act.do ".__add__), blocks.map("// note\n!!act.do\n  ".__add__))

_names = st.from_regex(r"\A[a-z0-9_]{1,8}\Z")
_keys = st.from_regex(r"\A(?!/)[A-Za-z0-9_,./]{0,8}\Z").filter(lambda key: key.lower() != "id")
_args = st.from_regex(r"\A(?!//)[A-Za-z0-9_,./]{1,8}\Z")
_values = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


@st.composite
def all_params(draw: st.DrawFn) -> Params:
    """Parameters as a program may set them."""
    params = Params()
    for key, value, comment in draw(st.lists(st.tuples(_keys, _values, st.just("") | _values), max_size=6)):
        params.set(key, value, comment)
    for arg in draw(st.lists(_args, max_size=4)):
        params.set_arg(arg)
    return params


@st.composite
def all_actions(draw: st.DrawFn) -> Action:
    """Actions as a program may create them."""
    types = [ActionType.DAL, ActionType.SAL, ActionType.MACRO, ActionType.WAL]
    return Action(
        draw(_names),
        draw(_names),
        id=draw(st.integers(1, 9)),
        type=draw(st.sampled_from(types)),
        params=draw(all_params()),
    )
