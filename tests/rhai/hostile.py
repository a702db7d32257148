"""Hostile scripts by name, each with the error that it must end in.

`test_hostile.py` runs all of them in one process, one after the other, with a timeout and a memory budget. `OK` means
that the package makes the script harmless and it ends with a value; with the crate alone it hangs or ends the process.
"""

from __future__ import annotations

OK = "OK"
LIMIT = "RhaiLimitError"
TIMEOUT = "RhaiTimeoutError"
RUNTIME = "RhaiRuntimeError"
PARSE = "RhaiParseError"
CONVERSION = "RhaiConversionError"
STOPPED = "RhaiLimitError or RhaiTimeoutError"

_DEEP = "let a = []; for i in 0..5_000 { a = [take(a)]; } "
_DEEP_MAP = "let a = #{}; for i in 0..5_000 { a = #{x: take(a)}; } "
_CHAIN = 'fn f(x) { 0 } let p = Fn("f"); for i in 0..100_000 { p = Fn("f").curry(take(p)) } '
_MEGABYTE = 'let s = "x"; s.pad(1_000_000, "x"); '
_THOUSAND = _MEGABYTE + "let a = []; a.pad(100_000, s); "
_MIN, _MAX = "-9_223_372_036_854_775_808", "9_223_372_036_854_775_807"

SCRIPTS: dict[str, tuple[str, str]] = {
    # Memory that grows piece by piece.
    "string doubles": ('let s = "x"; loop { s += s }', LIMIT),
    "array doubles": ("let a = [1]; loop { a += a }", LIMIT),
    "array of arrays doubles": ("let a = [[]]; loop { a += a }", LIMIT),
    "map grows by index": ("let m = #{}; let i = 0; loop { m[i.to_string()] = i; i += 1 }", LIMIT),
    "map grows by property of maps": ("let m = #{}; loop { m = #{a: m, b: m} }", STOPPED),
    "many variables": ('let s = "x"; loop { let a = s; s = a + a + a; }', LIMIT),
    "blob appended": ("let b = blob(1000); loop { b += b }", LIMIT),
    "endless pushes": ("let a = []; loop { a.push([1, 2, 3]) }", LIMIT),
    "closures captured": ("let a = []; loop { let s = [1, 2, 3]; a.push(|| s); }", LIMIT),
    "memory in a callback": ('[1].map(|x| { let s = "x"; loop { s += s } })', LIMIT),
    "memory in try": ('let s = "x"; loop { try { s += s } catch { } }', LIMIT),
    "a shared variable that holds itself": ("let a = []; let f = || a; a.push(f); loop { }", RUNTIME),
    "curries double": ('fn f(x) { 0 } let p = Fn("f"); loop { p = p.curry(p) }', LIMIT),
    # Memory that one operation asks for.
    "string padded beyond all memory": ('let s = "x"; s.pad(9_000_000_000_000, "y")', LIMIT),
    "string padded with a char": ("let s = \"x\"; s.pad(9_000_000_000_000, 'y')", LIMIT),
    "string padded with nothing": ('let s = "x"; s.pad(9_000_000_000_000, ""); s', OK),
    "string padded beyond 64 bits of bytes": (f'let s = "x"; s.pad({_MAX}, "\u20ac\u20ac")', LIMIT),
    "array padded beyond all memory": ("let a = []; a.pad(9_000_000_000_000, 0)", LIMIT),
    "array padded with blobs": ("let b = blob(1_000_000); let a = []; a.pad(1_000_000, b)", LIMIT),
    "array padded with itself": ("let a = [1]; loop { a.pad(100, a) }", TIMEOUT),
    "blob of the address space": ("blob(9_000_000_000_000_000)", LIMIT),
    "blob of the largest size": (f"blob({_MAX}, 1)", LIMIT),
    "blob of negative size": (f"blob({_MIN})", OK),
    "blob padded": ("let b = blob(1); b.pad(9_000_000_000_000, 1)", LIMIT),
    "blob turned into an array": ("blob(50_000_000).to_array()", LIMIT),
    "replacement squared": (_MEGABYTE + 'let t = s; s.replace("x", t); s.len', LIMIT),
    "replacement of nothing": (_MEGABYTE + 'let t = s; s.replace("", t); s.len', LIMIT),
    "split into characters": ('let s = "x"; s.pad(30_000_000, "x"); s.split("").len', LIMIT),
    "split at spaces": ('let s = "x"; s.pad(30_000_000, " x"); s.split().len', LIMIT),
    "characters of a long string": ('let s = "x"; s.pad(30_000_000, "x"); s.to_chars().len', LIMIT),
    "print of shared text": (_THOUSAND + "print(a)", LIMIT),
    "debug of shared text": (_THOUSAND + "debug(#{a: a})", LIMIT),
    "text of shared text": (_THOUSAND + "a.to_string().len", LIMIT),
    "interpolation of shared text": (_THOUSAND + "`${a}`.len", LIMIT),
    "concatenation of shared text": (_THOUSAND + '("" + a).len', LIMIT),
    "json of shared text": (_THOUSAND + "#{a: a}.to_json().len", LIMIT),
    "throw of shared text": (_THOUSAND + "throw a", RUNTIME),
    "return of shared text": (_THOUSAND + "[a, #{b: a}]", OK),
    "json of many lists": ('let s = "[]"; s.pad(5_000_000, ",[]"); parse_json(`{"a":[${s}]}`)', LIMIT),
    "json of nested lists": ('let s = "["; s.pad(100_000, "["); parse_json(`{"a":${s}}`)', PARSE),
    # Deep recursion and deep data.
    "recursion": ("fn f(n) { 1 + f(n + 1) } f(0)", LIMIT),
    "recursion of closures": ("let f = |n, g| g.call(n + 1, g); f.call(0, f)", LIMIT),
    "recursion through a callback": ("fn f(n) { [n].map(|x| f(x + 1)) } f(0)", LIMIT),
    "recursion of eval": ('let s = "eval(s)"; eval(s)', LIMIT),
    "eval in functions": ('fn f() { eval("f()") } f()', LIMIT),
    "array in array": ("let a = []; loop { a = [a] }", STOPPED),
    "array in array by move": ("let a = []; loop { a = [take(a)] }", STOPPED),
    "map in map": ("let a = #{}; loop { a = #{a: a} }", STOPPED),
    "closure in closure": ("let f = || 0; loop { let g = f; f = || g; }", LIMIT),
    "curry in curry": ('fn f(x) { 0 } let p = Fn("f"); loop { p = Fn("f").curry(take(p)) }', LIMIT),
    "shared map in closure in array": ("let a = []; loop { let b = #{x: take(a)}; let f = || b; a = [f]; }", LIMIT),
    "deep array returned": (_DEEP + "a", CONVERSION),
    "deep array thrown": (_DEEP + "throw a", RUNTIME),
    "deep array printed": (_DEEP + "print(a)", OK),
    "deep array copied and compared": (_DEEP + "let b = a; a == b", OK),
    "deep array searched": (_DEEP + "let b = [a]; b.contains(a) && b.index_of(a) == 0", OK),
    "deep map as text": (_DEEP_MAP + "`${a}`.len > 5_000", OK),
    "deep map as json": (_DEEP_MAP + "a.to_json().len > 5_000", OK),
    "deep map compared": (_DEEP_MAP + "let b = a; a != b", OK),
    "deep curry dropped": (_CHAIN + "p = (); 1", OK),
    "deep curry printed": (_CHAIN + "[p].to_debug().len > 0", OK),
    "deep curry returned": (_CHAIN + "p", CONVERSION),
    "deep curry called": (_CHAIN + "p.call()", OK),
    # Source text that is hard to parse.
    "parentheses": ("(" * 100_000, PARSE),
    "brackets": ("[" * 100_000, PARSE),
    "braces": ("{" * 100_000, PARSE),
    "maps": ("#{a:" * 100_000, PARSE),
    "minus signs": ("-" * 100_000 + "1", PARSE),
    "exclamation marks": ("!" * 100_000 + "true", PARSE),
    "sum of many": ("1" + "+1" * 100_000, PARSE),
    "chain of properties": ("a" + ".b" * 100_000, PARSE),
    "chain of else": ("if false { 1 }" + " else if false { 1 }" * 20_000, PARSE),
    "closures in closures": ("||" * 50_000 + "1", PARSE),
    "blocks in functions": ("fn f() " + "{ if true " * 50_000, PARSE),
    "templates in templates": ("`${" * 50_000, PARSE),
    "comments in comments": ("/*" * 200_000, OK),
    "eval of parentheses": ('let s = "("; s.pad(1_000_000, "("); eval(s)', PARSE),
    "eval of many statements": ('let s = "1;"; s.pad(20_000_000, "1;"); eval(s)', STOPPED),
    "a number of many digits": ("1" * 100_000, OK),
    # Time.
    "endless loop": ("loop { }", TIMEOUT),
    "endless loop in try": ("loop { try { throw 1 } catch { } }", TIMEOUT),
    "endless sort": ("let a = []; for i in 0..1000 { a.push(i) } loop { a.sort(|x, y| y - x) }", TIMEOUT),
    "long range": (f"for x in range(0, {_MAX}, 1) {{ let y = x; }}", TIMEOUT),
    "sleep of 1e30 seconds": ("sleep(1e30)", TIMEOUT),
    "sleep of the largest integer": (f"sleep({_MAX})", TIMEOUT),
    "sleep in a callback": ("[1].map(|x| sleep(1e9))", TIMEOUT),
    "slow operations": ("let a = []; a.pad(100_000, 1); loop { let b = a; }", TIMEOUT),
    # Numbers at the edges of their types.
    "shift by more bits than there are": ("1 << 9_000_000_000", OK),
    "shift by a negative number": ("1 << -1", OK),
    "least integer negated": (f"let x = {_MIN}; -x", RUNTIME),
    "least integer absolute": (f"let x = {_MIN}; x.abs()", RUNTIME),
    "least integer divided": (f"{_MIN} / -1", RUNTIME),
    "least integer remainder": (f"{_MIN} % -1", RUNTIME),
    "power": ("2 ** 9_000_000_000", RUNTIME),
    "index of the least integer": (f"let a = [1]; a[{_MIN}]", RUNTIME),
    "bits out of range": (f"let x = 1; x.bits({_MIN}, {_MAX})", RUNTIME),
    "substring of everything": (f'"abc".sub_string({_MIN}, {_MAX})', OK),
    "crop of everything": (f'let s = "abc"; s.crop({_MIN}, {_MAX}); s', OK),
    "splice of everything": (f"let a = [1, 2]; a.splice({_MIN}, {_MAX}, [1]); a", OK),
    "extract of everything": (f"[1, 2].extract({_MIN}, {_MAX})", OK),
    "blob number out of range": (f"let b = blob(8); b.parse_le_int({_MIN}, {_MAX})", OK),
    "decimal too large": ('let d = parse_decimal("79228162514264337593543950335"); d * d', RUNTIME),
    "float too large for an integer": ("(1e300).to_int()", RUNTIME),
    "moment too far in the future": ("timestamp() + 1e300", RUNTIME),
}
