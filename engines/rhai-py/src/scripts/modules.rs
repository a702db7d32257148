//! `FolderModules` and `MemoryModules`: the Python classes that say what the scripts of an engine may import.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::{PyNotADirectoryError, PyOSError, PyTypeError};
use pyo3::prelude::*;

use crate::scripts::library::{Library, Texts};

/// Modules that are files below one folder, which scripts cannot leave.
#[pyclass(frozen, module = "rhai")]
pub struct FolderModules {
    library: Arc<Library>,
    root: PathBuf,
}

#[pymethods]
impl FolderModules {
    #[new]
    #[pyo3(signature = (root, *, extension="rhai"))]
    fn new(root: PathBuf, extension: &str) -> PyResult<Self> {
        // Resolved once, so that a later change of the working directory does not change the folder.
        let root = root
            .canonicalize()
            .map_err(|error| PyOSError::new_err((error.raw_os_error(), error.kind().to_string(), root.clone())))?;
        if !root.is_dir() {
            return Err(PyNotADirectoryError::new_err(format!("{} is not a folder", root.display())));
        }
        let library = Library::new(Texts::Folder { root: root.clone(), extension: extension.into() });
        Ok(Self { library: Arc::new(library), root })
    }

    fn __repr__(&self) -> String {
        format!("FolderModules({:?})", self.root)
    }
}

/// Modules whose texts are in memory.
#[pyclass(frozen, module = "rhai")]
pub struct MemoryModules {
    library: Arc<Library>,
    count: usize,
}

#[pymethods]
impl MemoryModules {
    #[new]
    fn new(texts: HashMap<String, String>) -> Self {
        let count = texts.len();
        Self { library: Arc::new(Library::new(Texts::Memory(texts))), count }
    }

    fn __repr__(&self) -> String {
        format!("<rhai.MemoryModules, {} modules>", self.count)
    }
}

/// The library of a `FolderModules` or `MemoryModules` object.
pub fn library_of(modules: &Bound<'_, PyAny>) -> PyResult<Arc<Library>> {
    if let Ok(folder) = modules.cast::<FolderModules>() {
        return Ok(folder.get().library.clone());
    }
    if let Ok(memory) = modules.cast::<MemoryModules>() {
        return Ok(memory.get().library.clone());
    }
    let class = modules.get_type().fully_qualified_name()?;
    Err(PyTypeError::new_err(format!("modules must be a rhai.FolderModules or a rhai.MemoryModules, not {class}")))
}
