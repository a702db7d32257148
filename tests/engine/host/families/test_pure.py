"""The families that only compute: `encode`, `formats`, `time`, `crypto` and `regex`. Results, and refusals of bombs."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hero_engine.engine import Done
from hero_engine.host.families.pure import encode, formats, regex
from hero_engine.host.families.pure import time as moments
from hero_engine.rights import ScriptRights
from tests.engine.host.bench_script import ScriptBench

BENCH = ScriptBench()
WHOLE = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT


def tree(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4), max_leaves=20
    )


def evaluate(source: str) -> str:
    outcome = BENCH.run(source)
    assert isinstance(outcome, Done), outcome
    return outcome.output


def thrown(source: str) -> str:
    return evaluate(f"let caught = ``; try {{ {source}; }} catch (e) {{ caught = e; }} caught")


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("json_encode(#{b: 1, a: [true, (), 1.5, `x`]})", '{"a":[true,null,1.5,"x"],"b":1}'),
        ("json_encode(#{b: 1}, true)", '{\n  "b": 1\n}'),
        ('json_encode("ü")', '"ü"'),
        ('json_decode(`{"a": [1, 2.5, null, "x"]}`).a[1]', "2.5"),
        ('json_encode(json_decode(`{"b":{"c":1},"a":2}`))', '{"a":2,"b":{"c":1}}'),
        ("json_decode(`-9223372036854775808`)", "-9223372036854775808"),
        ('base64_encode("hello")', "aGVsbG8="),
        ('base64_encode("\u00fb\u00ff>", true)', "w7vDvz4"),
        ('base64_decode("w7vDvz4") + base64_decode("w7vDvz4=")', "ûÿ>ûÿ>"),
        ('base64_decode_bytes("AAEC").len()', "3"),
        ('base64_encode(base64_decode_bytes("AP-_")) ', "AP+/"),
        ('hex_encode("hi") + hex_decode("6869")', "6869hi"),
        ('hex_decode_bytes("00ff")[1]', "255"),
        ('url_encode("a b/ü&")', "a%20b%2F%C3%BC%26"),
        ('url_decode("a%20b%2F%C3%BC+")', "a b/ü+"),
        ('url_query(#{q: "a b", n: 1, tag: ["x", true]})', "n=1&q=a%20b&tag=x&tag=true"),
        (
            'let u = url_parse("https://me@Example.org:8443/a%20b?x=1&x=2#f"); '
            "[u.host, u.port, u.path, u.query.x, u.user]",
            '["example.org",8443,"/a%20b",["1","2"],"me"]',
        ),
        ('yaml_encode(#{b: [1, "no", "1"], a: ()})', "a: null\nb:\n- 1\n- 'no'\n- '1'\n"),
        ('json_encode(yaml_decode("a: no\\nb: 12:30\\nc: 0x1F\\nd: [1.5, ~, true, \'1\', 2026-01-01]"))',
         '{"a":"no","b":"12:30","c":31,"d":[1.5,null,true,"1","2026-01-01"]}'),
        ('json_encode(yaml_decode("a: &x [1]\\nb: *x\\n1: !!str 5\\nc: |\\n  t\\n"))',
         '{"1":"5","a":[1],"b":[1],"c":"t\\n"}'),
        ('type_of(yaml_decode(""))', "()"),
        ('toml_encode(#{t: "x\\"", n: 1, s: #{p: 1.0, deep: #{a: [1, 2]}}, l: [#{a: 1}, #{a: 2}]})',
         'n = 1\nt = "x\\""\n\n[[l]]\na = 1\n\n[[l]]\na = 2\n\n[s]\np = 1.0\n\n[s.deep]\na = [1, 2]\n'),
        ('json_encode(toml_decode("[server]\\nport = 80\\nat = 2026-01-01T00:00:00Z"))',
         '{"server":{"at":"2026-01-01T00:00:00+00:00","port":80}}'),
        ('csv_encode([["a", 1], ["b, c", "d\\"e"]])', 'a,1\n"b, c","d""e"\n'),
        ('csv_encode([#{name: "a", n: 1}, #{name: "b"}])', "n,name\n1,a\n,b\n"),
        ('csv_decode("a;b\\r\\n1;\\"2\\n3\\"", ";")', '[["a","b"],["1","2\\n3"]]'),
        ('csv_decode_maps("name,n\\nweb,2\\n")', '[{"n":"2","name":"web"}]'),
        ("csv_decode_maps(``)", "[]"),
        ('time_format(0)', "1970-01-01T00:00:00+00:00"),
        ('time_format(0.5, "%d.%m.%Y %H:%M", "Europe/Berlin")', "01.01.1970 01:00"),
        ('time_parse("2026-03-01T12:00:00Z").to_int()', "1772366400"),
        ('time_parse("01.03.2026", "%d.%m.%Y", "Europe/Berlin").to_int()', "1772319600"),
        ('let p = time_parts(1782864000, "Europe/Berlin"); [p.hour, p.offset, p.zone, p.weekday]', '[2,7200,"CEST",3]'),
        ('time_from_parts(#{year: 1970, month: 1, day: 2}).to_int()', "86400"),
        ('duration_parse("1d2h3m4s5ms")', "93784.005"),
        ('duration_format(93784.005) + duration_format(0) + duration_format(-60)', "1d2h3m4s5ms0s-1m"),
        ("time_now() > 1.7e9 && time_now_ms() > 1700000000000", "true"),
        ("time_sleep(0.001); 1", "1"),
        ('sha256("abc")', "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ('sha512("abc").sub_string(0, 16)', "ddaf35a193617aba"),
        ('sha384("abc").sub_string(0, 16)', "cb00753f45a35e8b"),
        ('blake2s("abc").sub_string(0, 16)', "508c5e8c327c14e2"),
        ('blake2b("abc").sub_string(0, 16)', "ba80a53f981c4d0d"),
        ('hmac_sha256("key", "The quick brown fox jumps over the lazy dog").sub_string(0, 16)', "f7bc83f430538424"),
        ('secure_equals(hmac_sha512("k", "m"), hmac_sha512("k", "m"))', "true"),
        ("random_bytes(20).len() + random_int(3, 3)", "23"),
        ("uuid4() != uuid4() && uuid4().len() == 36", "true"),
        # RFC 8032, section 7.1, test 2
        (
            'ed25519_sign("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", hex_decode_bytes("72"))'
            ".sub_string(0, 16)",
            "92a009a9f0d4cab8",
        ),
        ('let k = ed25519_generate(); ed25519_verify(k.public_key, "m", ed25519_sign(k.private_key, "m"))', "true"),
        ('let k = ed25519_generate(); ed25519_verify(k.public_key, "n", ed25519_sign(k.private_key, "m"))', "false"),
        ('let k = secp256k1_generate(); secp256k1_verify(k.public_key, "m", secp256k1_sign(k.private_key, "m"))',
         "true"),
        ('let k = secp256k1_generate(); secp256k1_verify(k.public_key, "n", secp256k1_sign(k.private_key, "m"))',
         "false"),
        ('let k = secp256k1_generate(); secp256k1_public(k.private_key) == k.public_key', "true"),
        ('let k = generate_key(); decrypt(k, encrypt(k, "secret ü"))', "secret ü"),
        ('let k = key_from_password("p", "saltsalt"); decrypt_bytes(k, encrypt(k, random_bytes(8))).len()', "8"),
        (r"regex_is_match(`order 42`, `\d+`)", "true"),
        (r"let m = regex_find(`ä a@b.org`, `(\w+)@(?P<host>[\w.]+)(x)?`); [m.start, m.names.host, m.groups]",
         '[2,"b.org",["a","b.org",null]]'),
        (r"type_of(regex_find(`a`, `\d`))", "()"),
        (r"regex_find_all(`1 and 22`, `\d+`).map(|m| m.text)", '["1","22"]'),
        (r"regex_replace(`a@b`, `(\w)@(\w)`, `$2 at $1`)", "b at a"),
        (r"regex_split(`a, b;c`, `[,;]\s*`)", '["a","b","c"]'),
        ("regex_is_match(`1+1`, regex_escape(`1+1`))", "true"),
    ],
)  # fmt: skip
def test_result(source: str, output: str) -> None:
    assert evaluate(source) == output


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("json_decode(`{`)", "Encode error: no JSON: "),
        ("json_decode(`9223372036854775808`)", "more than 64 bits"),
        ("let s = `1`; s.pad(100000, `1`); json_decode(s)", "more than 64 bits"),
        ("json_decode(`1e999`)", "too large"),
        ("json_decode(`NaN`)", "no JSON: NaN"),
        ("let s = `[`; s.pad(100000, `[`); json_decode(s)", "nested more than 100 levels"),
        ("let s = ``; s.pad(200, `[`); s.pad(400, `]`); json_decode(s)", "nested more than 100 levels"),
        ("let s = ``; s.pad(3000000, `[],`); json_decode(`[` + s + `1]`)", "more than 500000 values"),
        ("let s = ` `; s.pad(9000000, ` `); json_decode(s)", "characters are more than"),
        ("json_encode(random_bytes(1))", "a blob has no form as text"),
        ("json_encode(|x| x)", "no form as text"),
        ("json_encode(0.0 / 0.0)", "infinite, or none"),
        ("let a = []; for i in 0..200 { a = [a]; } json_encode(a)", "nested more than 100 levels"),
        ("yaml_encode(random_bytes(1))", "a blob has no form as text"),
        ('yaml_decode("a: [1")', "Encode error: no YAML: "),
        ('yaml_decode("!!python/object/apply:os.system [id]")', "is not supported"),
        ('yaml_decode("!mine x")', "is not supported"),
        ('yaml_decode("a: 1\\n---\\nb: 2")', "no YAML"),
        ('yaml_decode("&a [*a]")', "nested more than 100 levels"),
        ('yaml_decode("? [1]\\n: 2")', "a key is an array or a map"),
        ("yaml_decode(`n: 99999999999999999999`)", "more than 64 bits"),
        ("let s = ``; s.pad(20000, `[`); yaml_decode(s)", "nested more than 100 levels"),
        ("let s = ``; s.pad(20000, `- `); yaml_decode(s + `1`)", "nested more than 100 levels"),
        ("toml_encode(#{a: ()})", "() has no form in TOML"),
        ('toml_decode("a = ")', "no TOML"),
        ('toml_decode("a = 99999999999999999999")', "more than 64 bits"),
        ("let s = ``; s.pad(300000, `a.`); toml_decode(s + `b = 1`)", "a key has more than 100 parts"),
        ("let s = ``; s.pad(20000, `[`); toml_decode(`a = ` + s)", "Encode error"),
        ('csv_decode(`a"b`, `ab`)', "the delimiter is one character"),
        ('csv_decode("\\"a")', "no CSV"),
        ('csv_decode_maps("a,b\\n1")', "row 2 has 1 cells"),
        ('csv_decode_maps("a,a\\n1,2")', "two columns have the same name"),
        ("csv_encode([[1], #{a: 1}])", "rows are arrays, or they are maps"),
        ("csv_encode([[[1]]])", "a cell is a text"),
        ("base64_decode(`a`)", "no base64"),
        ("base64_decode(`//8=`)", "the bytes are no UTF-8"),
        ("hex_decode(`abc`)", "no hexadecimal digits"),
        ("url_parse(`http://[::1`)", "no URL"),
        ('time_format(0, "%2147483647d")', "Time error: a format has"),
        ("time_format(1e18)", "outside the years 1 to 9999"),
        ("time_format(0.0 / 0.0)", "outside the years"),
        ('time_format(0, "", "../../etc/passwd")', "there is no time zone"),
        ('time_format(0, "", "/etc/passwd")', "there is no time zone"),
        ('time_parse("yesterday")', "is no moment in ISO 8601"),
        ("time_sleep(-1)", "seconds must be"),
        ("time_from_parts(#{year: 2026, month: 13})", "there is no such moment"),
        ('duration_parse("1h 2m")', "is no duration"),
        ('duration_parse("")', "is no duration"),
        ("random_bytes(-1)", "count must be"),
        ("random_bytes(2000000)", "count must be"),
        ("random_int(2, 1)", "low is above high"),
        ('encrypt("00", "x")', "Crypto error: the key has 1 bytes instead of 32"),
        ('encrypt("zz", "x")', "the key is not in hex"),
        ('let k = generate_key(); decrypt(generate_key(), encrypt(k, "x"))', "the key is wrong"),
        ("decrypt(generate_key(), ``)", "the key is wrong"),
        ("let k = ``; k.pad(64, `0`); secp256k1_sign(k, `x`)", "the private key is outside its range"),
        ('key_from_password("p", "short")', "less than 8 bytes"),
        ("regex_find(`a`, `(`)", "Regex error: '(' is no regular expression"),
        (r"regex_find(`a`, `(a)\1`)", "is no regular expression"),
        ("let p = ``; p.pad(20000, `a`); regex_find(`a`, p)", "a pattern has at most"),
        ("regex_find(`a`, `((a{1000}){1000}){1000}`)", "is no regular expression"),
        ("let s = ``; s.pad(500001, `,`); csv_decode(s)", "more than 500000 values"),
        ("let a = []; a.pad(1000, 0); let b = []; b.pad(600, a); json_encode(b)", "more than 500000 values"),
        ("let s = ``; s.pad(8388609, `a`); base64_encode(s)", "characters are more than"),
    ],
)
def test_refusal_is_caught_as_a_text(source: str, text: str) -> None:
    assert text in thrown(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        # A group of a match counts, too.
        ("regex_find_all(`aaaaaa`, `(.)`)", "the pattern matches more than 10 times"),
        ("regex_split(`,,,,,,,,,,`, `,`)", "the text has more than 10 parts"),
    ],
)
def test_number_of_matches_is_bounded(source: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex, "MAX_VALUES", 10)

    assert text in thrown(source)


def test_as_many_matches_as_allowed_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex, "MAX_VALUES", 10)

    assert evaluate("regex_find_all(`aaaaa`, `(.)`).len()") == "5"
    assert evaluate("regex_split(`,,,,,,,,,`, `,`).len()") == "10"


REPLACER = "text_replacer_new().pattern(`a`)"


@pytest.mark.parametrize(
    "call",
    [
        "regex_find_all(s, `a`)",
        "regex_replace(s, `a`, `b`)",
        "regex_split(s, `a`)",
        f"{REPLACER}.regex(true).replacement(`$0`).build().replace(s)",
        f"{REPLACER}.case_insensitive(true).build().replace(s)",
        "dedent(lines)",
        "prefix(lines, `> `)",
    ],
)
def test_function_with_many_matches_or_lines_ends_when_its_time_is_up(call: str) -> None:
    bench = ScriptBench(ScriptRights(call_s=0.000_001))

    texts = r'let s = ``; s.pad(1000, `a`); let lines = ``; lines.pad(2000, "a\n");'

    outcome = bench.run(f"{texts} let seen = ``; try {{ {call} }} catch (e) {{ seen = e }} seen")

    assert isinstance(outcome, Done), outcome
    assert "takes longer than call_s allows" in outcome.output


def test_aliases_of_yaml_count_as_what_they_stand_for() -> None:
    bomb = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))

    assert "with those that aliases stand for" in thrown(f"yaml_decode({json.dumps(bomb)})")


def test_pattern_that_would_backtrack_takes_linear_time() -> None:
    assert evaluate("let s = ``; s.pad(100000, `a`); regex_is_match(s, `(a|a)*(a*)*b`)") == "false"


def test_uuids_of_version_7_sort_by_their_time() -> None:
    ids = json.loads(evaluate("let a = []; for i in 0..50 { a.push(uuid7()); time_sleep(0.0015); } a"))

    assert ids == sorted(ids)
    assert {(one[14], one[19] in "89ab") for one in ids} == {("7", True)}


@settings(deadline=None, max_examples=60)
@given(tree(PLAIN | st.none()))
def test_what_json_and_yaml_write_they_read(value: Any) -> None:
    assert encode.json_decode(encode.json_encode(value)) == value
    assert encode.json_encode(value) == encode.json_encode(encode.json_decode(encode.json_encode(value, True)))


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(TEXT, tree(PLAIN), max_size=4))
def test_what_toml_writes_it_reads(value: dict[str, Any]) -> None:
    assert formats.toml_decode(formats.toml_encode(value)) == value


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(TEXT.map(lambda text: text.replace("\0", "")), min_size=1, max_size=4), max_size=4))
def test_what_csv_writes_it_reads(rows: list[list[str]]) -> None:
    assert formats.csv_decode(formats.csv_encode(list(rows))) == rows


@settings(deadline=None, max_examples=60)
@given(st.integers(-(10**12), 10**12))
def test_duration_that_is_written_is_read(milliseconds: int) -> None:
    assert round(moments.duration_parse(moments.duration_format(milliseconds / 1000)) * 1000) == milliseconds


def test_damaged_texts_end_in_a_text_of_the_family() -> None:
    chance = random.Random(7)
    whole = '{"a": [1, 2.5, "x"], b: &c {d: *c}, e = 1\n[f]\n"g",h\n\xff'
    for _ in range(300):
        text = json.dumps("".join(chance.choices(whole, k=chance.randrange(40))))
        for name in ("json_decode", "yaml_decode", "toml_decode", "csv_decode", "base64_decode", "url_parse"):
            assert "defect" not in thrown(f"{name}({text})"), (name, text)
