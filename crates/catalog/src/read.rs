//! Reads a catalog: from its text to a product, or everything that is wrong with it.

use std::sync::LazyLock;

use crate::finding::Findings;
use crate::given::Given;
use crate::model::Product;
use crate::raw::Catalog;
use crate::resolve::{merge_services, resolve, substitute};
use crate::setting::{self, Setting, Written};
use crate::source::Source;
use crate::{schema, structure};

/// The schema, which is the same for every catalog.
static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(schema::schema);

/// Reads and validates a catalog.
///
/// `file` is its name in messages, `programs` are those that can be packed, `settings` replace values of the catalog, and
/// `given` are the payloads that a person brings.
pub fn read(
    file: &str,
    text: &str,
    programs: &[String],
    settings: &[Setting],
    given: &Given,
) -> Result<Product, Findings> {
    let mut findings = Findings::new(file);
    let mut source = Source::parse(text, &mut findings);
    findings.fail_if_any()?;
    structure::check(&source, &SCHEMA, &mut findings);
    findings.fail_if_any()?;
    let parsed = toml::from_str::<toml::Table>(text).and_then(|t| Ok((toml::from_str::<Catalog>(text)?, t)));
    let (mut catalog, mut text) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            findings.add(1, error.to_string().replace('\n', " "));
            return Err(findings);
        }
    };
    if !settings.is_empty() {
        let services = merge_services(&catalog, &text);
        let mut written =
            Written { table: &mut text, source: &mut source, catalog: &catalog, services: &services };
        setting::apply(settings, &mut written, &SCHEMA, &mut findings);
        structure::check(&source, &SCHEMA, &mut findings);
        findings.fail_if_any()?;
        catalog = text.clone().try_into().expect("what the schema accepts is a catalog");
    }
    if !catalog.payload.is_empty() {
        substitute(&mut text, &catalog, given, &source, &mut findings);
        catalog = text.clone().try_into().expect("what the schema accepts is a catalog");
    }
    let product = resolve(&catalog, &text, &source, programs, given, &mut findings);
    findings.fail_if_any()?;
    Ok(product)
}
