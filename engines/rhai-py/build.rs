//! Turns `refusals` on where the compiler permits it: the hook by which a refused allocation unwinds instead of ending
//! the process is not yet stable. `.cargo/config.toml` of the repository permits it. Without it everything works, but an
//! operation of a script may hold up to five times its budget for a moment. See docs/decisions/0012.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(refusals)");
    println!("cargo::rerun-if-env-changed=RUSTC_BOOTSTRAP");
    if std::env::var_os("RUSTC_BOOTSTRAP").is_some() {
        println!("cargo::rustc-cfg=refusals");
    }
}
