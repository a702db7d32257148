//! Where imported modules come from: a folder that scripts cannot leave, or texts in memory.
//!
//! The crate's own resolver follows `..`, absolute paths and symbolic links, and its limit on modules does not stop a
//! module that imports itself. Here a name is a relative path of plain components below one folder, opened component
//! by component without following links, and a name that is being loaded cannot be imported again.
//! Invariant: a module is evaluated once a run; its compiled form is shared by runs while the file stays the same.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

/// Larger module files are refused, so that reading one cannot take long or much memory.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Texts by name.
pub enum Library {
    /// Files below a folder.
    Folder {
        /// The folder.
        root: PathBuf,
        /// Added to each name.
        extension: String,
        /// Compiled modules by name, with the stamp of the file they were read from.
        compiled: Mutex<HashMap<String, (Stamp, Arc<AST>)>>,
    },
    /// Given texts.
    Memory {
        /// Text by name.
        texts: HashMap<String, String>,
        /// Compiled modules by name.
        compiled: Mutex<HashMap<String, Arc<AST>>>,
    },
}

/// What changes when a file is replaced or written.
pub type Stamp = (u64, u64, i64, i64, u64);

/// The resolver of one run.
pub struct RunResolver {
    library: Arc<Library>,
    loaded: Mutex<HashMap<String, Shared<Module>>>,
    loading: Mutex<Vec<String>>,
}

impl RunResolver {
    /// A resolver that has loaded nothing yet.
    pub fn new(library: Arc<Library>) -> Self {
        Self { library, loaded: Mutex::default(), loading: Mutex::default() }
    }
}

impl ModuleResolver for RunResolver {
    fn resolve(
        &self,
        engine: &Engine,
        _importer: Option<&str>,
        name: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        if let Some(module) = lock(&self.loaded).get(name) {
            return Ok(module.clone());
        }
        {
            let mut loading = lock(&self.loading);
            if loading.iter().any(|other| other == name) {
                let circle = loading.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(" -> ");
                let inner = EvalAltResult::from(format!("the module imports itself: {circle}"));
                return Err(EvalAltResult::ErrorInModule(name.into(), inner.into(), position).into());
            }
            loading.push(name.into());
        }
        let module = self.load(engine, name, position);
        lock(&self.loading).pop();
        let module = Shared::new(module?);
        lock(&self.loaded).insert(name.into(), module.clone());
        Ok(module)
    }
}

impl RunResolver {
    fn load(&self, engine: &Engine, name: &str, position: Position) -> Result<Module, Box<EvalAltResult>> {
        let ast = self.library.compiled(engine, name, position)?;
        Module::eval_ast_as_new(Scope::new(), &ast, engine)
            .map_err(|error| EvalAltResult::ErrorInModule(name.into(), error, position).into())
    }
}

impl Library {
    fn compiled(&self, engine: &Engine, name: &str, position: Position) -> Result<Arc<AST>, Box<EvalAltResult>> {
        let missing = || EvalAltResult::ErrorModuleNotFound(name.into(), position);
        let refused = |why: String| {
            let inner = EvalAltResult::from(why);
            Box::new(EvalAltResult::ErrorInModule(name.into(), inner.into(), position))
        };
        let parse = |text: &str| {
            let mut ast = engine.compile(text).map_err(|error| {
                let inner = EvalAltResult::ErrorParsing(*error.0, error.1);
                Box::new(EvalAltResult::ErrorInModule(name.into(), inner.into(), position))
            })?;
            ast.set_source(name);
            Ok::<_, Box<EvalAltResult>>(Arc::new(ast))
        };
        match self {
            Self::Memory { texts, compiled } => {
                if let Some(ast) = lock(compiled).get(name) {
                    return Ok(ast.clone());
                }
                let ast = parse(texts.get(name).ok_or_else(missing)?)?;
                lock(compiled).insert(name.into(), ast.clone());
                Ok(ast)
            }
            Self::Folder { root, extension, compiled } => {
                let Some(mut file) = open_below(root, name, extension).map_err(refused)? else {
                    return Err(missing().into());
                };
                let about = file.metadata().map_err(|error| refused(error.to_string()))?;
                if !about.is_file() || about.len() > MAX_FILE_BYTES {
                    return Err(refused(format!("not a file of at most {MAX_FILE_BYTES} bytes")));
                }
                let stamp = (about.dev(), about.ino(), about.mtime(), about.mtime_nsec(), about.len());
                if let Some((known, ast)) = lock(compiled).get(name)
                    && *known == stamp
                {
                    return Ok(ast.clone());
                }
                let mut text = String::new();
                let read = file.by_ref().take(MAX_FILE_BYTES).read_to_string(&mut text);
                read.map_err(|error| refused(error.to_string()))?;
                let ast = parse(&text)?;
                lock(compiled).insert(name.into(), (stamp, ast.clone()));
                Ok(ast)
            }
        }
    }
}

/// Opens `root/name.extension` without following a link below `root`. `None`: there is no such file.
fn open_below(root: &Path, name: &str, extension: &str) -> Result<Option<File>, String> {
    let parts: Vec<&str> = name.split('/').collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..") || part.contains(['\\', '\0'])) {
        return Err("a module name is a relative path without '.', '..' and empty parts".into());
    }
    let mut folder = OwnedFd::from(File::open(root).map_err(|error| format!("{}: {error}", root.display()))?);
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let part = if last { format!("{part}.{extension}") } else { (*part).to_string() };
        let (Ok(path), directory) = (CString::new(part), if last { 0 } else { libc::O_DIRECTORY }) else {
            return Err("a module name holds no NUL".into());
        };
        // SAFETY: an open folder and a terminated string.
        let opened = unsafe { libc::openat(folder.as_raw_fd(), path.as_ptr(), flags | directory) };
        if opened < 0 {
            let error = std::io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(None),
                Some(libc::ELOOP | libc::ENOTDIR) => Err("a module path does not lead through links".into()),
                _ => Err(error.to_string()),
            };
        }
        // SAFETY: just opened, owned by nobody else.
        folder = unsafe { OwnedFd::from_raw_fd(opened) };
    }
    Ok(Some(File::from(folder)))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
