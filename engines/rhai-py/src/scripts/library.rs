//! Where imported modules come from: a folder that scripts cannot leave, or texts in memory.
//!
//! The crate's own resolver follows `..`, absolute paths and symbolic links, and its limit on modules does not stop a
//! module that imports itself. Here a name is a relative path of plain components below one folder. It is opened
//! component by component without following links, and a module cannot be imported while it is being loaded.
//! Invariant: a module is evaluated once per run. Runs share its compiled form for as long as the file is unchanged.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{Error, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use crate::bounds::current::Answer;

/// Larger module files are refused, so that reading one takes neither long nor much memory.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Where the texts of modules are.
pub enum Texts {
    /// In files below `root`, by name and extension.
    Folder {
        /// The folder.
        root: PathBuf,
        /// The extension without its dot.
        extension: String,
    },
    /// In memory, by name.
    Memory(HashMap<String, String>),
}

/// Modules that engines import from, with their compiled forms.
pub struct Library {
    texts: Texts,
    /// By name, with the stamp of the file from which the module was read.
    compiled: Mutex<HashMap<String, (Stamp, Arc<AST>)>>,
}

/// Device, inode, modification time (seconds, nanoseconds) and size of a file: one of them changes when the file is
/// replaced or written. All zero for a text in memory.
type Stamp = (u64, u64, i64, i64, u64);

/// The stamp and the text of a module.
type Opened<'a> = (Stamp, Box<dyn Read + 'a>);

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

    fn load(&self, engine: &Engine, name: &str, position: Position) -> Answer<Module> {
        let ast = self.library.compiled(engine, name, position)?;
        Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(|error| in_module(name, error, position))
    }
}

impl ModuleResolver for RunResolver {
    fn resolve(
        &self,
        engine: &Engine,
        _importer: Option<&str>,
        name: &str,
        position: Position,
    ) -> Answer<Shared<Module>> {
        if let Some(module) = lock(&self.loaded).get(name) {
            return Ok(module.clone());
        }
        {
            let mut loading = lock(&self.loading);
            if loading.iter().any(|other| other == name) {
                let circle = loading.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(" -> ");
                return Err(refused(name, format!("the module imports itself: {circle}"), position));
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

impl Library {
    /// A library of which nothing is compiled yet.
    pub fn new(texts: Texts) -> Self {
        Self { texts, compiled: Mutex::default() }
    }

    fn compiled(&self, engine: &Engine, name: &str, position: Position) -> Answer<Arc<AST>> {
        let opened = self.texts.open(name).map_err(|why| refused(name, why, position))?;
        let Some((stamp, mut reader)) = opened else {
            return Err(EvalAltResult::ErrorModuleNotFound(name.into(), position).into());
        };
        if let Some((_, ast)) = lock(&self.compiled).get(name).filter(|(known, _)| *known == stamp) {
            return Ok(ast.clone());
        }
        let mut text = String::new();
        reader.read_to_string(&mut text).map_err(|error| refused(name, error.to_string(), position))?;
        let ast = parse(engine, &text, name, position)?;
        lock(&self.compiled).insert(name.into(), (stamp, ast.clone()));
        Ok(ast)
    }
}

impl Texts {
    /// Opens a module; `None` if there is no such module.
    fn open(&self, name: &str) -> Result<Option<Opened<'_>>, String> {
        match self {
            Self::Memory(texts) => {
                Ok(texts.get(name).map(|text| (Stamp::default(), Box::new(text.as_bytes()) as Box<dyn Read>)))
            }
            Self::Folder { root, extension } => {
                let Some(file) = open_below(root, name, extension)? else { return Ok(None) };
                Ok(Some((stamp(&file)?, Box::new(file.take(MAX_FILE_BYTES)))))
            }
        }
    }
}

fn parse(engine: &Engine, text: &str, name: &str, position: Position) -> Answer<Arc<AST>> {
    let mut ast = engine.compile(text).map_err(|error| {
        let inner = EvalAltResult::ErrorParsing(*error.0, error.1);
        in_module(name, inner.into(), position)
    })?;
    ast.set_source(name);
    Ok(Arc::new(ast))
}

fn in_module(name: &str, inner: Box<EvalAltResult>, position: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorInModule(name.into(), inner, position).into()
}

fn refused(name: &str, why: String, position: Position) -> Box<EvalAltResult> {
    in_module(name, EvalAltResult::from(why).into(), position)
}

fn stamp(file: &File) -> Result<Stamp, String> {
    let about = file.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > MAX_FILE_BYTES {
        return Err(format!("not a file of at most {MAX_FILE_BYTES} bytes"));
    }
    Ok((about.dev(), about.ino(), about.mtime(), about.mtime_nsec(), about.len()))
}

/// Opens `root/name.extension` without following a link below `root`. `None` if there is no such file.
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
            return Err("a module name must not contain NUL".into());
        };
        // SAFETY: an open folder and a terminated string.
        let opened = unsafe { libc::openat(folder.as_raw_fd(), path.as_ptr(), flags | directory) };
        if opened < 0 {
            let error = Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(None),
                Some(libc::ELOOP | libc::ENOTDIR) => Err("a module path must not lead through links".into()),
                _ => Err(error.to_string()),
            };
        }
        // SAFETY: this function has just opened the descriptor and is its only owner.
        folder = unsafe { OwnedFd::from_raw_fd(opened) };
    }
    Ok(Some(File::from(folder)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
