//! The door of a service: takes its `socket`, makes a socket unit and the service that passes connections on.

use crate::finding::shown;
use crate::model::Socket;
use crate::model::place::list_faults;
use crate::model::service::Builder;
use crate::raw::{Boot, Manager};
use crate::rule::{quantity, socket};

impl Builder<'_, '_> {
    /// Its door.
    pub(super) fn socket(&mut self) -> Option<Socket> {
        let spec = self.spec.socket.as_ref()?;
        if self.scope == Manager::User {
            self.fault(&["socket"], "is a door of the machine's: use scope = \"system\"");
        }
        for (i, what) in list_faults(&spec.listen) {
            self.fault(&["socket", "listen", &i.to_string()], &what);
        }
        if spec.listen.is_empty() {
            self.fault(&["socket", "listen"], "is empty: write a port, an ADDRESS:PORT or a path");
        }
        for (i, listen) in spec.listen.iter().enumerate() {
            self.rule(&["socket", "listen", &i.to_string()], socket::listen(listen));
        }
        self.rule(&["socket", "to"], socket::to(&spec.to));
        if spec.listen.iter().any(|listen| socket::meet(listen, &spec.to)) {
            let text = format!("{} is the door itself: the service listens somewhere else", shown(&spec.to));
            self.fault(&["socket", "to"], &text);
        }
        self.optional(&["socket", "idle"], &spec.idle, quantity::period);
        let stem = self.stem();
        let taken = format!("{}-proxy", self.chain.name);
        if self.known.catalog.service.contains_key(&taken) {
            let text = format!("is served by a unit that is called like service.{taken}: rename that");
            self.fault(&["socket"], &text);
        }
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
}
