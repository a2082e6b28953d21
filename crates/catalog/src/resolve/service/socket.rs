//! `socket`: the socket unit of a service, and the proxy that passes connections on.

use super::entry::Entry;
use crate::finding::quote;
use crate::model::Socket;
use crate::raw::{Boot, Manager};
use crate::rule::{list, quantity, socket};

pub(super) fn resolve_socket(entry: &mut Entry<'_, '_>) -> Option<Socket> {
    let spec = entry.spec.socket.as_ref()?;
    if entry.scope == Manager::User {
        entry.refuse(&["socket"], "works only in system scope: use scope = \"system\"");
    }
    for (i, fault) in list::check(&spec.listen) {
        entry.refuse(&["socket", "listen", &i.to_string()], &fault);
    }
    if spec.listen.is_empty() {
        entry.refuse(&["socket", "listen"], "is empty: write a port, IP:PORT or an absolute path");
    }
    for (i, listen) in spec.listen.iter().enumerate() {
        entry.check(&["socket", "listen", &i.to_string()], socket::check_listen(listen));
    }
    entry.check(&["socket", "to"], socket::check_target(&spec.to));
    if spec.listen.iter().any(|listen| socket::is_same_place(listen, &spec.to)) {
        let text = format!(
            "{} is the address of the socket itself: write the address that the service listens on",
            quote(&spec.to)
        );
        entry.refuse(&["socket", "to"], &text);
    }
    entry.check_optional(&["socket", "idle"], spec.idle.as_ref(), quantity::check_period);
    let proxy = format!("{}-proxy", entry.name());
    if entry.context.catalog.service.contains_key(&proxy) {
        let text = format!("needs the unit name of service.{proxy}: rename that service");
        entry.refuse(&["socket"], &text);
    }
    let stem = entry.stem();
    Some(Socket {
        unit: format!("{stem}.socket"),
        proxy: format!("{stem}-proxy.service"),
        listen: spec.listen.clone(),
        to: spec.to.clone(),
        boot: spec.boot == Some(Boot::Always(true)),
        install: spec.boot != Some(Boot::Always(false)),
        idle: spec.idle.clone(),
    })
}
