//! Renders the files of a product: takes a validated [`Product`], and makes a [`Tree`]. It reads no clock and no disk;
//! the templates are compiled in.

mod filter;
mod plan;
mod template;

use base::cksum;
use base::table::{self, Shipped, Table};
use catalog::model::Product;
use catalog::raw::{Manager, OnUpgrade};
use catalog::rule::name;
use minijinja::{Value, context};

use crate::extra::{Extra, Kind};
use crate::tree::Tree;
pub(crate) use filter::wrap;
use plan::Plan;
use template::ENVIRONMENT;

/// Folders with files that an administrator does not edit, because overrides go to `/etc`.
const FIXED: [&str; 2] = ["/usr/lib/", "/usr/share/polkit-1/"];

/// Units whose jobs shut a machine down or start rescue mode. Older versions of systemd ignore `soft-reboot`.
const WAYS_DOWN: [&str; 12] = [
    "shutdown.target",
    "umount.target",
    "final.target",
    "systemd-reboot.service",
    "systemd-poweroff.service",
    "systemd-halt.service",
    "systemd-kexec.service",
    "systemd-soft-reboot.service",
    "rescue.target",
    "rescue.service",
    "emergency.target",
    "emergency.service",
];

/// Renders all files that do not depend on the processor. `extras` are the man pages and completions of the programs.
pub fn render(product: &Product, extras: &[Extra]) -> Tree {
    Renderer { product, plan: Plan::new(product), tree: Tree::default() }.run(extras)
}

/// Renders the documents that every package has: its copyright file and its changelog.
pub fn documents(product: &Product) -> Tree {
    let mut renderer = Renderer { product, plan: Plan::new(product), tree: Tree::default() };
    renderer.add_documents();
    renderer.tree
}

/// Renders a template with values that do not come from a product.
pub fn text(template: &str, values: Value) -> String {
    let text = ENVIRONMENT.get_template(template).and_then(|template| template.render(values));
    text.unwrap_or_else(|e| panic!("template {template}.j2 does not fit its values: {e}"))
}

struct Renderer<'a> {
    product: &'a Product,
    plan: Plan,
    tree: Tree,
}

impl Renderer<'_> {
    fn run(mut self, extras: &[Extra]) -> Tree {
        let p = self.product;
        let (name, package) = (&p.name, &p.package);
        for service in p.units() {
            let path = format!("root/usr/lib/systemd/{}/{}", service.scope.name(), service.unit);
            self.add_file(&path, 0o644, "units/service", context! { s => service });
        }
        self.add_service_files();
        if !self.plan.own.is_empty() {
            let path = format!("root{}/drop-in.conf", p.share_dir);
            self.add_file(&path, 0o644, "packaging/example.conf", context! {});
        }
        self.add_alerts();
        if !p.permits.is_empty() || !self.plan.accounts.is_empty() {
            self.add_file(
                &format!("root/usr/share/polkit-1/rules.d/50-{name}.rules"),
                0o644,
                "polkit/product.rules",
                context! { instance => name::INSTANCE },
            );
        }
        if self.plan.users {
            self.add_file(
                &format!("root/usr/lib/sysusers.d/{name}.conf"),
                0o644,
                "packaging/sysusers.d/product.conf",
                context! {},
            );
        }
        self.add_file(
            &format!("root/usr/lib/tmpfiles.d/{name}.conf"),
            0o644,
            "packaging/tmpfiles.d/product.conf",
            context! {},
        );
        if !self.plan.boot.is_empty() {
            self.add_preset("system");
        }
        if !self.plan.user_boot.is_empty() {
            self.add_preset("user");
        }
        if p.hardware_watchdog.is_some() {
            let path = format!("root/usr/lib/systemd/system.conf.d/50-{name}.conf");
            self.add_file(&path, 0o644, "packaging/system.conf.d/product.conf", context! {});
        }
        if p.services.iter().any(|s| s.permitted) {
            for unit in WAYS_DOWN {
                let path = format!("root/usr/lib/systemd/system/{unit}.d/50-{name}.conf");
                self.add_file(&path, 0o644, "units/kept.conf", context! { unit });
            }
        }
        for drop_in in &p.drop_ins {
            let path = format!("root{}", drop_in.path);
            self.add_file(&path, 0o644, "packaging/drop-in.conf", context! { d => drop_in });
        }
        if p.asks {
            let path = format!("root{}/are-up", p.program_dir);
            self.add_file(&path, 0o755, "packaging/libexec/are-up", context! {});
        }
        if p.services
            .iter()
            .any(|s| s.scope == Manager::System && s.on_upgrade == OnUpgrade::Keep && s.r#type != "oneshot")
        {
            let path = format!("root/etc/needrestart/conf.d/50-{name}.conf");
            self.add_file(&path, 0o644, "packaging/needrestart/product.conf", context! {});
        }
        for config in &p.configs {
            self.tree.add(format!("root{}", config.path), 0o644, config.text.as_bytes());
        }
        for role in &p.roles {
            self.add_file(&format!("root{}", role.file), 0o644, "env/.env", context! { role });
        }
        if self.plan.exports {
            let path = format!("root{}/{}_env.sh", p.share_dir, name.replace('-', "_"));
            self.add_file(&path, 0o644, "env/env.sh", context! {});
        }
        let files = self.tree.installed().filter(|(path, _)| FIXED.iter().any(|dir| path.starts_with(dir)));
        let shipped = files.map(|(path, file)| Shipped {
            path: path.into(),
            size: file.bytes.len() as u64,
            cksum: cksum::compute(&file.bytes),
        });
        let table = Table { files: shipped.collect(), ..p.table() };
        let mut table = serde_json::to_string_pretty(&table).expect("a table has only text keys");
        table.push('\n');
        self.tree.add(format!("root{}/{}", p.share_dir, table::FILE), 0o644, table);
        for command in &p.commands {
            self.add_file(
                &format!("root/usr/bin/{command}"),
                0o755,
                "packaging/bin/command",
                context! { command },
            );
        }
        for extra in extras.iter().filter(|extra| p.programs.contains(&extra.program)) {
            self.add_extra(extra);
        }
        self.add_file(
            &format!("root/usr/share/man/man7/{package}.7"),
            0o644,
            "packaging/man/product.7",
            context! {},
        );
        self.add_documents();
        self.add_file("rpm/rpmlint.toml", 0o644, "packaging/rpm/rpmlint.toml", context! {});
        let plan = &self.plan;
        let on_demand = !plan.on_demand.is_empty() || !p.alerts.is_empty();
        if !p.programs.is_empty() || on_demand || !plan.environments.is_empty() {
            self.add_file("deb/lintian-overrides", 0o644, "packaging/deb/lintian-overrides", context! {});
        }
        let mut scripts = vec!["postinst", "postrm"];
        if !p.services.is_empty() {
            scripts.push("prerm");
        }
        if !self.plan.restarted.is_empty() {
            scripts.push("preinst");
        }
        for script in scripts {
            self.add_file(&format!("deb/{script}"), 0o755, &format!("packaging/deb/{script}"), context! {});
        }
        for script in ["pre", "post", "preun", "postun"] {
            if script == "pre" && !self.plan.users || script == "preun" && p.services.is_empty() {
                continue;
            }
            self.add_file(&format!("rpm/{script}"), 0o644, &format!("packaging/rpm/{script}"), context! {});
        }
        self.tree
    }

    /// Adds slices, instance files, sockets with their proxies, and the task launcher.
    fn add_service_files(&mut self) {
        let p = self.product;
        for slice in &p.slices {
            let path = format!("root/usr/lib/systemd/system/{}", slice.unit);
            self.add_file(&path, 0o644, "units/slice", context! { slice });
        }
        for service in &p.services {
            for instance in service.instances.iter().flat_map(|i| &i.shipped) {
                let path = format!("root{}", instance.file);
                self.add_file(&path, 0o644, "packaging/instance.env", context! { s => service, instance });
            }
            let Some(socket) = &service.socket else { continue };
            for (unit, template) in
                [(&socket.unit, "units/service.socket"), (&socket.proxy, "units/proxy.service")]
            {
                let path = format!("root/usr/lib/systemd/system/{unit}");
                let plain = context! { devices => [(); 0] };
                self.add_file(&path, 0o644, template, context! { of => service, s => plain });
            }
        }
        if p.services.iter().any(|s| s.tasks.is_some()) {
            for (file, template) in
                [("task", "packaging/libexec/task"), ("tasks/sudo", "packaging/libexec/sudo")]
            {
                self.add_file(&format!("root{}/{file}", p.program_dir), 0o755, template, context! {});
            }
        }
    }

    /// Adds the preset of one manager, which decides what starts automatically.
    fn add_preset(&mut self, manager: &str) {
        let path = format!("root/usr/lib/systemd/{manager}-preset/50-{}.preset", self.product.name);
        let units: Vec<_> = self.product.units().collect();
        let extra = context! { manager, units };
        self.add_file(&path, 0o644, "packaging/system-preset/product.preset", extra);
    }

    fn add_extra(&mut self, extra: &Extra) {
        let Extra { program, kind, text } = extra;
        let name = &self.product.name;
        let is_command = self.product.commands.contains(program);
        match kind {
            Kind::Page if is_command => {
                self.tree.add(format!("root/usr/share/man/man1/{program}.1"), 0o644, text.as_bytes());
            }
            Kind::Page => {
                // The program is not a command of this product, and other products can ship it too. The page is named
                // after the product, so that their paths differ.
                let title = format!(".Dt {} 1\n", program.to_uppercase());
                let own = format!(".Dt {}\\-{} 7\n", name.to_uppercase(), program.to_uppercase());
                let path = format!("root/usr/share/man/man7/{name}-{program}.7");
                self.tree.add(path, 0o644, text.replacen(&title, &own, 1));
            }
            Kind::Completion(_) if is_command => {
                if let Some(path) = extra.path() {
                    self.tree.add(format!("root{path}"), 0o644, text.as_bytes());
                }
            }
            // Users do not type the name of a program that is not a command.
            Kind::Completion(_) => {}
        }
    }

    /// Adds the units and settings that report failures.
    fn add_alerts(&mut self) {
        let name = &self.product.name;
        for scope in &self.product.alerts {
            let manager = scope.name();
            let path = format!("root/usr/lib/systemd/{manager}/{name}-alert@.service");
            self.add_file(
                &path,
                0o644,
                "units/alert@.service",
                context! { scope, s => context! { devices => [(); 0] } },
            );
        }
        if self.product.alerts.contains(&Manager::System) {
            let path = format!("root/usr/lib/systemd/system/{name}-alert-mail@.service");
            self.add_file(&path, 0o644, "units/alert-mail@.service", context! {});
        }
        if !self.product.alerts.is_empty() {
            self.add_file(&format!("root/etc/{name}/alert.conf"), 0o644, "packaging/alert.conf", context! {});
        }
    }

    fn add_documents(&mut self) {
        self.add_file("deb/copyright", 0o644, "packaging/deb/copyright", context! {});
        self.add_file("deb/changelog", 0o644, "packaging/deb/changelog", context! {});
    }

    fn add_file(&mut self, path: &str, mode: u32, template: &str, extra: Value) {
        let context = context! { p => self.product, plan => self.plan, ..extra };
        let text = ENVIRONMENT
            .get_template(template)
            .and_then(|t| t.render(context))
            .unwrap_or_else(|e| panic!("template {template}.j2 does not fit its model: {e}"));
        self.tree.add(path.to_owned(), mode, text);
    }
}
