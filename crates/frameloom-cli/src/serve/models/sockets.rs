//! Where the models are reached: Unix sockets in a folder that only this user may enter.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

/// The environment variable that says to a pipeline's COMMAND where its model is.
pub(crate) const VARIABLE: &str = "FRAMELOOM_MODEL";

/// The longest path of a folder, in bytes. A socket's has at most 100, as frameloom.detect has
/// it, and a model's name 64.
const MOST_BYTES: usize = 35;

/// The folder, which is made when it is first needed.
#[derive(Default)]
pub(crate) struct ModelSockets {
    folder: Mutex<Option<TempDir>>,
}

impl ModelSockets {
    fn lock(&self) -> MutexGuard<'_, Option<TempDir>> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of a model's socket, also of a model that there isn't yet.
    ///
    /// # Errors
    /// The system's, where there is no room for a folder.
    pub(crate) fn path(&self, model: &str) -> io::Result<String> {
        let mut folder = self.lock();
        let path = match &mut *folder {
            Some(folder) => folder.path().join(model),
            none => none.insert(make(&std::env::temp_dir())?).path().join(model),
        };
        path.into_os_string()
            .into_string()
            .map_err(|_| io::Error::other("the path of its socket is no UTF-8"))
    }

    /// Removes the folder, with all that is in it.
    pub(crate) fn remove(&self) {
        // A program that cleans up temporary files may have removed it already.
        drop(self.lock().take());
    }
}

/// Makes a folder within `temporary`; in /tmp where that would make paths that no socket can have.
fn make(temporary: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("frameloom-").permissions(Permissions::from_mode(0o700));
    let made = builder.tempdir_in(temporary)?;
    let fits = |path: &Path| path.to_str().is_some_and(|path| path.len() <= MOST_BYTES);
    if fits(made.path()) { Ok(made) } else { builder.tempdir_in(PathBuf::from("/tmp")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_the_models_name_in_a_folder_of_this_user_alone() {
        let sockets = ModelSockets::default();
        let path = PathBuf::from(sockets.path("faces").unwrap());
        assert_eq!(path, PathBuf::from(sockets.path("faces").unwrap()));
        assert!(path.ends_with("faces"), "{path:?}");
        let folder = path.parent().unwrap().to_owned();
        assert_eq!(folder, PathBuf::from(sockets.path("other").unwrap()).parent().unwrap());
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        sockets.remove();
        assert!(!folder.exists());
    }

    #[test]
    fn a_long_path_of_temporary_files_is_not_used() {
        let long = tempfile::tempdir().unwrap();
        let below = long.path().join("x".repeat(60));
        std::fs::create_dir(&below).unwrap();
        let made = make(&below).unwrap();
        assert!(made.path().starts_with("/tmp"), "{made:?}");
        assert!(!made.path().starts_with(&below), "{made:?}");
        assert_eq!(std::fs::read_dir(&below).unwrap().count(), 0);
    }
}
