//! Evaluates scripts with the Rhai crate alone, for comparison with the Python package. It has no guards, and no limit
//! except a number of operations.
//!
//! `native` reads scripts from standard input, separated by NUL, and answers each with one line of JSON:
//! `{"value": ..., "output": [...]}` or `{"error": "Kind", "output": [...]}`. `native --time N FILE` evaluates one
//! file N times and prints the best time of one evaluation in microseconds.

#![allow(clippy::print_stdout, reason = "the program answers on standard output")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::ops::{Range, RangeInclusive};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rhai::packages::{Package, StandardPackage};
use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, Map};
use rust_decimal::Decimal;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--time") => time(&arguments[2..]),
        _ => answer_all(),
    }
}

fn answer_all() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).expect("scripts are UTF-8");
    let mut out = std::io::stdout().lock();
    for script in input.split('\0') {
        writeln!(out, "{}", answer(script)).expect("standard output is open");
    }
}

fn answer(script: &str) -> String {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let mut engine = Engine::new();
    engine.set_max_expr_depths(64, 64);
    engine.set_max_operations(10_000_000);
    let sink = printed.clone();
    engine.on_print(move |text| sink.lock().expect("one thread").push(text.to_string()));
    let sink = printed.clone();
    engine.on_debug(move |text, _, _| sink.lock().expect("one thread").push(text.to_string()));
    let mut json = String::from("{");
    // A panic of the crate is an outcome too: the package makes an error of it.
    match catch_unwind(AssertUnwindSafe(|| engine.eval::<Dynamic>(script))) {
        Err(_) => json.push_str("\"error\":\"Panic\""),
        Ok(Ok(value)) => {
            json.push_str("\"value\":");
            put_value(&mut json, &value);
        }
        Ok(Err(error)) => {
            let _infallible = write!(json, "\"error\":\"{}\"", kind(error.unwrap_inner()));
        }
    }
    json.push_str(",\"output\":[");
    for (index, line) in printed.lock().expect("one thread").iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        put_text(&mut json, line);
    }
    json + "]}"
}

fn kind(error: &EvalAltResult) -> String {
    let debug = match error {
        EvalAltResult::ErrorParsing(error, _) => format!("{error:?}"),
        error => format!("{error:?}"),
    };
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().into()
}

fn put_value(json: &mut String, value: &Dynamic) {
    let value = value.flatten_clone();
    if value.is_unit() {
        json.push_str("null");
    } else if let Ok(number) = value.as_int() {
        let _infallible = write!(json, "{number}");
    } else if let Ok(number) = value.as_float() {
        let _infallible = write!(json, "{{\"float\":\"{number:?}\"}}");
    } else if let Ok(truth) = value.as_bool() {
        let _infallible = write!(json, "{truth}");
    } else if let Ok(char) = value.as_char() {
        put_text(json, &char.to_string());
    } else if let Some(number) = value.read_lock::<Decimal>() {
        let _infallible = write!(json, "{{\"decimal\":\"{}\"}}", *number);
    } else if let Some(bytes) = value.read_lock::<Blob>() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let _infallible = write!(json, "{{\"bytes\":\"{hex}\"}}");
    } else if let Some(items) = value.read_lock::<Array>() {
        json.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            put_value(json, item);
        }
        json.push(']');
    } else if let Some(items) = value.read_lock::<Map>() {
        json.push_str("{\"map\":{");
        for (index, (key, item)) in items.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            put_text(json, key);
            json.push(':');
            put_value(json, item);
        }
        json.push_str("}}");
    } else if let Some(range) = value.read_lock::<Range<i64>>() {
        let _infallible = write!(json, "{{\"range\":[{},{}]}}", range.start, range.end);
    } else if let Some(range) = value.read_lock::<RangeInclusive<i64>>() {
        let _infallible = write!(json, "{{\"range\":[{},{}]}}", range.start(), range.end() + 1);
    } else if let Ok(text) = value.as_immutable_string_ref() {
        put_text(json, &text);
    } else {
        let _infallible = write!(json, "{{\"type\":\"{}\"}}", value.type_name());
    }
}

fn put_text(json: &mut String, text: &str) {
    json.push('"');
    for char in text.chars() {
        match char {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            char if (char as u32) < 0x20 => {
                let _infallible = write!(json, "\\u{:04x}", char as u32);
            }
            char => json.push(char),
        }
    }
    json.push('"');
}

/// Times the evaluation of a compiled script as a Rust program would do it: a new raw engine with the shared standard
/// package, an operation limit, and a deadline that is checked every 64 operations.
fn time(arguments: &[String]) {
    let [count, file] = arguments else { panic!("native --time N FILE") };
    let count: u32 = count.parse().expect("N is a number");
    let script = std::fs::read_to_string(file).expect("FILE can be read");
    let package = StandardPackage::new().as_shared_module();
    let fresh = || {
        let mut engine = Engine::new_raw();
        engine.register_global_module(package.clone());
        engine.set_max_operations(u64::MAX);
        let start = Instant::now();
        engine.on_progress(move |count| (count % 64 == 0 && start.elapsed().as_secs() > 3600).then_some(Dynamic::UNIT));
        engine
    };
    let ast = fresh().compile(&script).expect("FILE is a script");
    let mut best = f64::INFINITY;
    // Times short scripts in batches, so that reading the clock does not count.
    let batch = if count > 1000 { 1000 } else { 1 };
    for _ in 0..count.div_ceil(batch) {
        let start = Instant::now();
        for _ in 0..batch {
            let _ = std::hint::black_box(fresh().eval_ast::<Dynamic>(&ast).expect("FILE runs"));
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(batch));
    }
    println!("{best:.3}");
}
