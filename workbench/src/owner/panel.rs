//! The panel's key: a page with a button for each task, of which each person has a link.

use super::edit::Edit;
use super::fault::Fault;
use super::known_keys::keep;
use super::secrets::new_key;
use super::workbench::Workbench;
use remotetask::key::Digest;

/// Gives the panel a key in a configuration that has none, and the caller keeps it. Returns the new key.
pub fn begin(edit: &mut Edit) -> Result<Option<String>, Fault> {
    if edit.server().contains_key("panel") {
        return Ok(None);
    }
    let key = new_key()?;
    edit.server().insert("panel".into(), Digest::of(key.as_bytes()).sealed().into());
    Ok(Some(key))
}

/// Makes a panel where there is none. Returns true if it is new.
pub fn ensure(bench: &Workbench) -> Result<bool, Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let Some(key) = begin(&mut edit)? else { return Ok(false) };
    keep(bench, &[&key])?;
    drop(edit.commit()?);
    Ok(true)
}
