//! The directory where Python keeps its byte code. A service cannot write beside the modules of a payload, so it would compile them at
//! every start.

use crate::model::{Directory, Payload, Role, Service};
use crate::raw::{self, Manager};

/// Variables with which a service decides it by itself.
const DECIDED: [&str; 2] = ["PYTHONPYCACHEPREFIX=", "PYTHONDONTWRITEBYTECODE="];

/// Gives every service that runs a Python payload a directory for byte code. Only services of one user share a directory,
/// because a user who can write byte code can change the program of the next service.
pub(super) fn keep<'a>(
    product: &raw::Product,
    payloads: &[Payload],
    roles: &[Role],
    services: impl Iterator<Item = &'a mut Service>,
    directories: &mut Vec<Directory>,
) {
    let environments: Vec<&str> = payloads
        .iter()
        .filter(|payload| payload.python().is_some())
        .map(|payload| payload.dir.as_str())
        .collect();
    for service in services {
        let launch = service.launch.iter().flat_map(|launch| &launch.argv).map(String::as_str);
        let own = service.environment.iter().map(String::as_str).chain([service.exec.as_str()]);
        let texts: Vec<&str> = launch.chain(own).collect();
        let role = roles.iter().filter(|role| service.environment_file.as_ref() == Some(&role.file));
        // Variables whose value is in an environment, and that the service uses.
        let of_role: Vec<String> = role
            .flat_map(|role| &role.variables)
            .filter(|variable| environments.iter().any(|dir| variable.value.contains(dir)))
            .map(|variable| format!("${{{}}}", variable.name))
            .collect();
        let names = || environments.iter().copied().chain(of_role.iter().map(String::as_str));
        let is_used = texts.iter().any(|text| names().any(|name| text.contains(name)));
        let is_decided = service
            .environment
            .iter()
            .any(|line| DECIDED.iter().any(|name| line.trim_matches('"').starts_with(name)));
        if !is_used || is_decided {
            continue;
        }
        if service.scope == Manager::User {
            service.byte_code = Some(format!("%C/{}", product.name));
            continue;
        }
        let user = service.user.clone().unwrap_or_else(|| "root".to_owned());
        let top = format!("/var/cache/{}", product.name);
        let path = format!("{top}/{user}");
        for (path, user, mode) in [(top, "root", "0755"), (path.clone(), user.as_str(), "0750")] {
            if !directories.iter().any(|directory| directory.path == path) {
                directories.push(Directory { path, user: user.to_owned(), mode: mode.to_owned() });
            }
        }
        service.byte_code = Some(path);
    }
}
