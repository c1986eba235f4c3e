//! `url`: the links of people, and ready text for other callers.

use std::path::Path;

use super::page;
use super::recipes::{recipe_text, show_recipe, Recipe};
use crate::owner::addresses::address;
use crate::owner::edit::lock_config;
use crate::owner::fault::Fault;
use crate::owner::secrets::Secrets;
use crate::owner::urls::{show_panel, show_urls, Codes};
use crate::owner::workbench::Workbench;

/// The arguments of `url`.
pub struct UrlArgs<'w> {
    /// One task, or all.
    pub task: Option<&'w str>,
    /// One person, or all.
    pub who: Option<&'w str>,
    /// Remember that this NAS is reached there.
    pub at: Option<&'w str>,
    /// Ready text as well.
    pub recipe: Option<Recipe>,
    /// Codes as well.
    pub codes: Codes,
    /// A page beside this file, in place of the screen.
    pub page: Option<&'w Path>,
    /// The panel's URLs in place of the tasks'.
    pub panel: bool,
}

/// `url`.
pub fn run(bench: &Workbench, wanted: &UrlArgs<'_>) -> Result<(), Fault> {
    if let Some(at) = wanted.at {
        note(bench, at)?;
    }
    match (wanted.page, wanted.recipe) {
        (Some(beside), recipe) => {
            let text = match recipe {
                Some(recipe) => page::with_text(&recipe_text(bench, wanted.task, wanted.who, recipe)?),
                None => page::with_links(bench, wanted.who, wanted.task)?,
            };
            let page = page::write(bench, beside, &text)?;
            bench.screen.literal(page.display());
            Ok(())
        }
        _ if wanted.panel => show_panel(bench, wanted.who, wanted.codes),
        (_, Some(recipe)) => show_recipe(bench, wanted.task, wanted.who, recipe),
        _ => show_urls(bench, wanted.who, wanted.task, wanted.codes),
    }
}

/// Notes the address at which this NAS is reached.
pub fn note(bench: &Workbench, at: &str) -> Result<(), Fault> {
    let at = address(at)?;
    let _held = lock_config(&bench.folder)?;
    let mut secrets = Secrets::read(&bench.folder)?;
    secrets.set_url(at);
    secrets.write()
}

/// `url --noted`: shows the address that is noted, or nothing.
pub fn show_noted(bench: &Workbench) -> Result<(), Fault> {
    if let Some(url) = Secrets::read(&bench.folder)?.url() {
        bench.screen.literal(url);
    }
    Ok(())
}
