//! From a catalog to a product: every reference is resolved, and every value checked.

mod about;
mod alert;
mod byte_code;
mod drop_in;
mod inherit;
mod limits;
mod link;
mod lock;
mod machine;
mod order;
mod payload;
mod permit;
mod quote;
mod report;
mod role;
mod service;

pub(crate) use self::inherit::merge_services;
pub(crate) use self::payload::substitute;
use self::report::Report;
use self::service::{Context, mirror, resolve_service};
use crate::finding::Findings;
use crate::given::Given;
use crate::model::{Product, program_dir};
use crate::raw::{self, Catalog, Manager, Scope};
use crate::source::Source;

/// Resolves a catalog. `text` has only the fields that are written in it, and `source` has their lines.
pub(crate) fn resolve(
    catalog: &Catalog,
    text: &toml::Table,
    source: &Source,
    programs: &[String],
    given: &Given,
    findings: &mut Findings,
) -> Product {
    let report = &mut Report { source, findings };
    let spec = &catalog.product;
    about::check_product(spec, programs, report);
    let specs = inherit::resolve_services(catalog, text, report);
    let roles = role::resolve_roles(catalog, report);
    let mut locks = lock::resolve_locks(catalog, report);
    let named = || specs.iter().map(|(chain, spec)| (chain.name.as_str(), spec));
    let context = Context {
        catalog,
        roles: &roles,
        locks: &locks,
        // A parent does not start instances, because it does not know them.
        parents: named()
            .filter(|(_, spec)| spec.instances.is_none())
            .filter_map(|(_, spec)| spec.parent.as_deref())
            .collect(),
        templates: named().filter(|(_, spec)| spec.instances.is_some()).map(|(name, _)| name).collect(),
        task_managers: named()
            .filter(|(_, spec)| spec.tasks == Some(true))
            .map(|(name, spec)| (name, spec.user.as_deref()))
            .collect(),
        scopes: named().map(|(name, spec)| (name, spec.scope.unwrap_or_default())).collect(),
    };
    let (mut services, mut mirrors) = (Vec::new(), Vec::new());
    for (chain, spec) in &specs {
        let mut resolve =
            |spec: &raw::Service, manager| resolve_service(chain, spec, manager, &context, report);
        match spec.scope.unwrap_or_default() {
            Scope::System => services.push(resolve(spec, Manager::System)),
            Scope::User => services.push(resolve(spec, Manager::User)),
            Scope::Both => {
                services.push(resolve(spec, Manager::System));
                mirrors.push(resolve(&mirror(spec), Manager::User));
            }
        }
    }
    if services.is_empty() {
        let text = "is missing: write a [service.NAME] table";
        report.refuse(&["service"], text);
    }
    link::link_children(&mut services);
    link::link_children(&mut mirrors);
    order::check_order(&services, report);
    for services in [&mut services, &mut mirrors] {
        link::link_dependents(services);
        link::hold_upgrades(services);
    }
    let permits = permit::resolve_permits(catalog, &services, report);
    lock::assign_owners(&mut locks, &services, &permits, report);
    link::guard_dependencies(&mut services, &permits, report);
    let payloads = payload::resolve_payloads(catalog, given, report);
    let mut directories = machine::resolve_directories(catalog, report);
    byte_code::keep(spec, &payloads, &roles, services.iter_mut().chain(&mut mirrors), &mut directories);
    let alerts = alert::resolve_alerts(catalog, services.iter().chain(&mirrors), report);
    Product {
        name: spec.name.clone(),
        package: spec.package.clone(),
        summary: spec.summary.clone(),
        description: about::split_paragraphs(&spec.description),
        maintainer: spec.maintainer.clone(),
        license: spec.license.clone(),
        copyright: spec.copyright.clone(),
        homepage: spec.homepage.clone(),
        releases: about::resolve_releases(catalog, report),
        program_dir: program_dir(&spec.name),
        share_dir: format!("/usr/share/{}", spec.name),
        programs: spec.programs.clone(),
        commands: spec.commands.clone(),
        depends_deb: spec.depends.deb.clone(),
        depends_rpm: spec.depends.rpm.clone(),
        hardware_watchdog: machine::resolve_watchdog(catalog, report),
        drop_ins: drop_in::resolve_drop_ins(catalog, report),
        accounts: machine::resolve_accounts(catalog, report),
        groups: machine::resolve_groups(catalog, report),
        selector: role::role_variable(&spec.name),
        roles,
        locks,
        asks: services.iter().any(|s| !s.children.is_empty() || !s.once_ready.is_empty()),
        slices: machine::resolve_slices(catalog, report),
        directories,
        configs: machine::resolve_configs(catalog, report),
        payloads,
        services,
        mirrors,
        permits,
        alerts,
    }
}
