//! The templates, compiled into the program, and the environment that renders them. A template is named like the file
//! that it becomes. A variable that the model does not define is an error.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};

use super::filter;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../", $name, ".j2")))),*]
    };
}

const TEMPLATES: [(&str, &str); 47] = templates![
    "units/service",
    "units/service.socket",
    "units/proxy.service",
    "units/slice",
    "units/kept.conf",
    "units/alert@.service",
    "units/alert-mail@.service",
    "packaging/alert.conf",
    "packaging/example.conf",
    "polkit/product.rules",
    "env/.env",
    "env/env.sh",
    "packaging/sysusers.d/product.conf",
    "packaging/tmpfiles.d/product.conf",
    "packaging/system-preset/product.preset",
    "packaging/needrestart/product.conf",
    "packaging/bin/command",
    "packaging/instance.env",
    "packaging/libexec/are-up",
    "packaging/libexec/task",
    "packaging/libexec/sudo",
    "packaging/system.conf.d/product.conf",
    "packaging/drop-in.conf",
    "packaging/man/product.7",
    "packaging/busy.sh",
    "packaging/byte-code.sh",
    "packaging/ended.sh",
    "packaging/accounts.sh",
    "packaging/deb/stopped.sh",
    "packaging/deb/preinst",
    "packaging/deb/postinst",
    "packaging/deb/prerm",
    "packaging/deb/postrm",
    "packaging/deb/copyright",
    "packaging/deb/changelog",
    "packaging/deb/lintian-overrides",
    "packaging/rpm/rpmlint.toml",
    "packaging/rpm/pre",
    "packaging/rpm/post",
    "packaging/rpm/preun",
    "packaging/rpm/postun",
    "packaging/repo/name.sources",
    "packaging/repo/name.repo",
    "packaging/repo/unattended-upgrades.conf",
    "packaging/repo/dnf-automatic.conf",
    "packaging/repo/index.html",
    "packaging/repo/lintian-overrides",
];

const HARDENING: [(&str, &str); 3] = [
    ("units/hardening/ros.conf", include_str!("../../../../units/hardening/ros.conf")),
    ("units/hardening/strict.conf", include_str!("../../../../units/hardening/strict.conf")),
    ("units/hardening/user.conf", include_str!("../../../../units/hardening/user.conf")),
];

/// The rendering environment. It is created once, because parsing all templates is slow.
pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_trim_blocks(true);
    env.set_lstrip_blocks(true);
    env.set_keep_trailing_newline(true);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    filter::add_to(&mut env);
    for (name, text) in TEMPLATES.into_iter().chain(HARDENING) {
        env.add_template(name, text).unwrap_or_else(|e| panic!("template {name}.j2: {e:#}"));
    }
    env
});
