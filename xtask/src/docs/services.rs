//! Tables of services in the pages, generated from the catalogs between two markers.
//!
//! `<!-- services of NAME -->` starts a table of the product of that name, `<!-- end -->` ends it.

use catalog::model::{Product, Service};
use catalog::raw::Manager;

const END: &str = "<!-- end -->";

/// Returns the page with all tables regenerated.
pub(super) fn with_tables(page: &str, products: &[Product]) -> String {
    let mut updated_page = page.to_owned();
    for product in products {
        let start = format!("<!-- services of {} -->\n", product.name);
        let Some(from) = updated_page.find(&start).map(|at| at + start.len()) else { continue };
        let Some(length) = updated_page[from..].find(END) else { continue };
        updated_page.replace_range(from..from + length, &table(product));
    }
    updated_page
}

/// Formats a Markdown table with a row per service.
fn table(product: &Product) -> String {
    // Empty columns are left out.
    let has = |field: fn(&Service) -> bool| product.services.iter().any(field);
    let (scopes, frames, expectations) =
        (!product.mirrors.is_empty(), has(|s| s.frame.is_some()), has(|s| !s.expects.is_empty()));
    let columns =
        [("unit", true), ("what", true), ("scope", scopes), ("frame", frames), ("expects", expectations)];
    let row = |cells: [String; 5]| {
        let cells = cells.into_iter().zip(columns).filter(|(_, (_, is_used))| *is_used);
        format!("| {} |\n", cells.map(|(cell, _)| cell).collect::<Vec<_>>().join(" | "))
    };
    let mut text = row(columns.map(|(name, _)| name.to_owned()));
    text.push_str(&format!("|{}\n", "---|".repeat(columns.iter().filter(|(_, is_used)| *is_used).count())));
    for service in &product.services {
        let expects: Vec<String> = service
            .expects
            .iter()
            .flat_map(|e| {
                e.environment.iter().map(move |(name, value)| format!("`{name}={value}` in {}", e.service))
            })
            .collect();
        let boot = if service.boot { ", from boot on" } else { "" };
        let scope = match (service.scope, product.mirrors.iter().any(|m| m.name == service.name)) {
            (_, true) => "system, user",
            (Manager::System, _) => "system",
            (Manager::User, _) => "user",
        };
        text.push_str(&row([
            format!("`{}`", service.unit.trim_end_matches(".service")),
            format!("{}{boot}", service.description.replace('|', "\\|")),
            scope.to_owned(),
            service.frame.clone().unwrap_or_default(),
            expects.join(", "),
        ]));
    }
    text
}
