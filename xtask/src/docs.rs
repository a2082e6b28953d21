//! Tables of services in the repository's pages: taken from the catalogs, kept between two markers.
//!
//! `<!-- services of NAME -->` opens a table of the product of that name, `<!-- end -->` closes it.

use std::fs;

use anyhow::{Result, bail};

use crate::golden::is_update;
use crate::model::Product;
use crate::workspace::Workspace;

const PAGE: &str = "README.md";
const END: &str = "<!-- end -->";

/// Compares every table with its product; with `UPDATE=1` in the environment it rewrites the page instead.
pub fn check(workspace: &Workspace, products: &[Product]) -> Result<()> {
    let path = workspace.path(PAGE);
    let kept = fs::read_to_string(&path)?;
    let made = with_tables(&kept, products);
    if made == kept {
        return Ok(());
    }
    if !is_update() {
        bail!("`{PAGE}`: a table of services is not that of its catalog: UPDATE=1 cargo xtask check");
    }
    Ok(fs::write(path, made)?)
}

fn with_tables(page: &str, products: &[Product]) -> String {
    let mut made = page.to_owned();
    for product in products {
        let start = format!("<!-- services of {} -->\n", product.name);
        let Some(from) = made.find(&start).map(|at| at + start.len()) else { continue };
        let Some(length) = made[from..].find(END) else { continue };
        made.replace_range(from..from + length, &table(product));
    }
    made
}

/// A Markdown table: a row a service.
fn table(product: &Product) -> String {
    let mut text = "| unit | what | frame | expects |\n|---|---|---|---|\n".to_owned();
    for service in &product.services {
        let expects: Vec<String> = service
            .expects
            .iter()
            .flat_map(|e| {
                e.environment.iter().map(move |(name, value)| format!("`{name}={value}` in {}", e.service))
            })
            .collect();
        let boot = if service.boot { ", from boot on" } else { "" };
        text.push_str(&format!(
            "| `{}` | {}{boot} | {} | {} |\n",
            service.unit.trim_end_matches(".service"),
            service.description.replace('|', "\\|"),
            service.frame.as_deref().unwrap_or_default(),
            expects.join(", "),
        ));
    }
    text
}
