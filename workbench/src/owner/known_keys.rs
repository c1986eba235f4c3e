//! Plain keys that are kept before the configuration knows their digests, and forgotten after it does not.

use serde_json::{json, Value};

use super::edit::digests;
use super::fault::Fault;
use super::screen::Tone;
use super::secrets::Secrets;
use super::view::View;
use super::workbench::Workbench;
use remotetask::key::Digest;
use remotetask::record;

/// A magic key of the owner's own, for a first configuration.
pub fn first(key: &str) -> Value {
    json!({ "label": "me", "key": Digest::of(key.as_bytes()).sealed() })
}

/// Keeps plain keys before the configuration knows them, for they cannot be found again. An [`Edit`] is open.
pub fn keep(bench: &Workbench, keys: &[&str]) -> Result<(), Fault> {
    let mut secrets = Secrets::read(&bench.folder)?;
    keys.iter().for_each(|key| secrets.keep(key));
    secrets.write()
}

/// Forgets what the configuration does not know any more; whether it could. The change is made by now, and still
/// held: what keeps keys.json from following is told, and undoes nothing.
pub fn forget(bench: &Workbench, gone: &[Digest]) -> bool {
    gone.iter().for_each(|digest| record::forget_use(&bench.path("state"), digest));
    let follow = || {
        let view = View::read(&bench.folder)?;
        let known = digests(&view.config()?);
        let mut secrets = view.secrets;
        secrets.retain(&known);
        secrets.write()
    };
    match follow() {
        Ok(()) => true,
        Err(Fault(why)) => {
            let rest = "What was taken back may stand in keys.json until then. It starts nothing, and goes from there \
                        with the next key or task that is taken back.";
            bench.screen.mark(Tone::Advice, "advice", format_args!("{why}. {rest}"));
            false
        }
    }
}
