"""Values that no stack can bear, and the ways on which a value crosses between a script and Python.

`test_crossings.py` runs each value through each crossing in a child process, which must stay alive.
"""

from __future__ import annotations

#: Levels of nesting: far more than the stack of the child (1 MiB) bears, whatever handles one level.
LEVELS = 20_000
#: Levels of arrays and maps. A script copies the array that it nests, so more levels would take too long to make.
COPIED_LEVELS = 2_000


#: Scripts that make a value `v`, by its kind.
VALUES: dict[str, str] = {
    "deep array": f"let v = 0; for i in 0..{COPIED_LEVELS} {{ v = [take(v)]; }}",
    "deep map": f"let v = 0; for i in 0..{COPIED_LEVELS} {{ v = #{{k: take(v)}}; }}",
    "deep closure": f"let v = 0; for i in 0..{LEVELS} {{ let p = v; let f = || p; v = f; }}",
    "deep closure of a function": f"fn wrap(x) {{ || x }} let v = 0; for i in 0..{LEVELS} {{ v = wrap(v); }}",
    "deep curry": f'fn zero(x) {{ 0 }} let v = 0; for i in 0..{LEVELS} {{ v = Fn("zero").curry(take(v)); }}',
    "deep closure in array": f"let v = 0; for i in 0..{LEVELS} {{ let p = [take(v)]; v = || p; }}",
    "deep closure in map": f"let v = 0; for i in 0..{LEVELS} {{ let p = #{{k: take(v)}}; v = || p; }}",
    "closure that captures itself": "let v = 0; let f = || v; v = f;",
    "array that holds itself": "let v = []; let f = || v; v.push(f);",
    "map that holds itself": "let v = #{}; let f = || v; v.k = f;",
    "circle of two closures": "let v = 0; let w = 0; let f = || w; let g = || v; v = f; w = g;",
    # Each level holds the one below it twice: a walk without memory of where it was takes 2 ** 100 steps.
    "shared widely": "let v = 0; for i in 0..100 { let p = v; let f = || p; v = [f, f]; }",
    "shared widely by curries": (
        'fn zero(a, b) { 0 } let v = 0; for i in 0..100 { let p = v; let f = || p; v = Fn("zero").curry(f, f); }'
    ),
}

#: Scripts that let `v` cross, by the way that it takes.
CROSSINGS: dict[str, str] = {
    "argument": "host(v); 1",
    "argument in an array": "host([v]); 1",
    "argument in a map": "host(#{k: v}); 1",
    "argument that is curried": 'fn held(x) { 0 } host(Fn("held").curry(v)); 1',
    "argument that is captured": "let w = v; host(|| w); 1",
    "argument that Python keeps": "keep(v); v = (); 1",
    "captured variable that grows later": "let w = 0; keep(|| w); w = v; v = (); 1",
    "argument of a callback that fails": "try { fail(v) } catch (e) { e.to_string() } 1",
    "argument of a callback that calls it": "try { apply(|x| v, v) } catch { } 1",
    "argument of a module's function": "m::host(v); 1",
    "result": "v",
    "result in an array": "[v, v]",
    "result in a map": "#{k: v}",
    "result that captures": "let w = v; || w",
    "result of exit": "exit(v)",
    "thrown": "throw v",
    "thrown in a map": "throw #{k: v}",
    "thrown in a function": "let w = v; let f = || throw w; f.call()",
    "printed": "print(v); 1",
    "printed in an array": "print([v]); 1",
    "debugged": "debug(v); 1",
    "text": "`${v}`.len",
    "text of an array": "[v].to_string().len",
    "debug text": "v.to_debug().len",
    "json": "#{k: v}.to_json().len",
    "compared": "let w = v; v == w",
    "compared in arrays": "[v] == [v]",
    "compared in maps": "#{k: v} == #{k: v}",
    "searched": "[1, v].contains(v)",
    "padded": "let a = []; a.pad(3, v); a.len",
    "switched": "switch v { 1 => 2, _ => 3 }",
    "member": "v in [1, v]",
    "sorted": "let a = [v, v]; a.sort(|a, b| 0); a.len",
    "type": "type_of(v)",
    "dropped": "v = 1; v",
}

#: The child: reads a JSON object of scripts, and writes the name of each before and its outcome after it ran.
CHILD = """
import json, sys, threading
import rhai

kept = []

def host(value):
    repr(value) if not isinstance(value, rhai.Function) else value.name

def fail(value):
    raise ValueError("no")

def apply(function, value):
    return function(value)

functions = {"host": host, "keep": kept.append, "fail": fail, "apply": apply}
engine = rhai.Engine(functions=functions, cached_scripts=0)
engine.register_module("m", {"host": host})
limits = rhai.Limits(timeout_s=float(sys.argv[1]), memory_bytes=256 << 20)

def main():
    for name, script in json.load(sys.stdin).items():
        print(json.dumps([name, None]), flush=True)
        run = rhai.Run()
        try:
            value = engine.eval(script, limits=limits, run=run, on_print=lambda *_: None)
            outcome = type(value).__name__
            # What crossed goes back: as a constant, as an argument, as a captured value.
            for value in (value, *kept):
                try:
                    engine.eval("let w = V; let f = || w; [w, f]", constants={"V": value}, limits=limits)
                    engine.call("fn f(x) { [x] }", "f", value, limits=limits)
                    if callable(value):
                        value(value)
                except rhai.RhaiError:
                    pass
        except rhai.RhaiError as error:
            outcome = type(error).__name__
            repr(error.value)
            del error
        value = None
        kept.clear()
        print(json.dumps([name, outcome]), flush=True)

threading.stack_size(1 << 20)
thread = threading.Thread(target=main)
thread.start()
thread.join()
"""
