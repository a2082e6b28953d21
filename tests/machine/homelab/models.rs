//! Models: each one is a file, and only one service's user may start and stop them.

use testbed::Machine;

use crate::lab::{INFERENCE, SHUTDOWN, SOON, ask, permitted, pid, show, within};

const SMALL: &str = "home-lab-model@small.service";
const BIG: &str = "home-lab-model@big.service";

/// L2.
#[track_caller]
pub(crate) fn the_inference_service_starts_stops_and_restarts_them(machine: &Machine) {
    let suite = machine.suite();
    assert_eq!(ask(machine, "GET 5002 /models").ok().stdout, "big\nbroken\nsmall\n");
    assert_eq!(running(machine), "");
    ask(machine, "POST 5002 /start name=small").ok();
    ask(machine, "POST 5002 /start name=big").ok();
    assert_eq!(running(machine), format!("{BIG}\n{SMALL}\n"), "{suite}");
    // It serves as soon as the start has finished.
    assert_eq!(machine.run("bash -c 'cat </dev/tcp/127.0.0.1/9001'").ok().text(), "small talk");
    assert_eq!(machine.run("bash -c 'cat </dev/tcp/127.0.0.1/9002'").ok().text(), "big words");
    let before = pid(machine, SMALL);
    assert_eq!(machine.run(&format!("ps -o user:20= -p {before}")).ok().text(), "home-lab-model");
    ask(machine, "POST 5002 /restart name=small").ok();
    assert_ne!(pid(machine, SMALL), before);
    ask(machine, "POST 5002 /stop name=small").ok();
    assert_eq!(running(machine), format!("{BIG}\n"));
    machine.run("journalctl -q -o cat -t home-lab-model@small").ok().says("serving small talk");

    // A model that cannot be read fails to start, and the log shows why.
    let start = ask(machine, "POST 5002 /start name=broken").fails();
    assert!(start.stdout.contains("failed"), "{start}");
    machine.run("journalctl -q -o cat -u home-lab-model@broken").ok().says("this model cannot be read");
    ask(machine, "POST 5002 /stop name=broken").ok();

    // A new file adds a model; removing it removes the model.
    machine.put("/etc/home-lab/model/Llama-3.1_8b.env", 0o644, "MODEL=/srv/big.gguf\nPORT=9004\n");
    ask(machine, "POST 5002 /start name=Llama-3.1_8b").ok();
    ask(machine, "POST 5002 /stop name=Llama-3.1_8b").ok();
    machine.run("rm /etc/home-lab/model/Llama-3.1_8b.env").ok();
    ask(machine, "POST 5002 /start name=Llama-3.1_8b").fails();

    names(machine);
    others(machine);
    assert_eq!(running(machine), format!("{BIG}\n"), "{suite}");
    // Models keep running when the services restart.
    let before = pid(machine, BIG);
    machine.run("systemctl restart home-lab").ok();
    assert_eq!(pid(machine, BIG), before);
}

/// Whatever name the service passes on, it can only start models.
#[track_caller]
fn names(machine: &Machine) {
    let before =
        machine.run("systemctl list-units --plain --no-legend --state=active | cut -d' ' -f1 | sort").ok();
    machine.put("/etc/home-lab/model/--help.env", 0o644, "MODEL=/srv/small.gguf\nPORT=9005\n");
    machine.put("/etc/home-lab/x.env", 0o644, "MODEL=/srv/small.gguf\nPORT=9005\n");
    // These three go through the web; then all of them as the service's own commands.
    for name in ["--help", "../x", "ghost"] {
        ask(machine, &format!("POST 5002 /start 'name={name}'")).fails();
    }
    let names = [
        "--help",
        "--version",
        "-H",
        "../x",
        "..",
        ".",
        ".hidden",
        "/etc/passwd",
        "..%2Fx",
        "..\\x2fx",
        "",
        " ",
        "ghost",
        "notes.txt",
        "small big",
        "small home-lab-shutdown",
        "small.service home-lab.service",
        "small\nbig",
        "$(id)",
        "`id`",
        "small;id",
        "small@x",
        "small.socket",
        "smäll",
        &"a".repeat(64),
    ];
    let commands: Vec<String> =
        names.iter().map(|name| format!("systemctl start 'home-lab-model@{name}'")).collect();
    assert_eq!(permitted(|script| within(machine, INFERENCE, script), &commands), "");
    // A pattern only matches loaded units: existing models, and nothing else.
    let _ =
        permitted(|script| within(machine, INFERENCE, script), &["systemctl start 'home-lab*'".to_owned()]);
    machine.run("rm /etc/home-lab/model/--help.env /etc/home-lab/x.env").ok();
    let after =
        machine.run("systemctl list-units --plain --no-legend --state=active | cut -d' ' -f1 | sort").ok();
    assert_eq!(after.stdout, before.stdout);
    // It can neither create a model nor do anything else with one or with another unit.
    let further = [
        "touch /etc/home-lab/model/x.env",
        "systemctl --no-ask-password enable home-lab-model@small",
        "systemctl --no-ask-password mask home-lab-model@big",
        "systemctl --no-ask-password kill home-lab-model@big",
        "systemctl --no-ask-password freeze home-lab-model@big",
        "systemctl --no-ask-password set-property home-lab-model@big CPUQuota=1%",
        "systemd-run --no-ask-password --unit=home-lab-model@small id",
        "systemd-run --no-ask-password --unit=home-lab-model@ghost id",
        "systemd-run --no-ask-password --unit=home-lab-model@ghost.scope --scope id",
        "systemctl --no-ask-password stop home-lab-shutdown",
        "systemctl --no-ask-password restart home-lab-inference",
        "systemctl --no-ask-password stop home-lab",
        "systemctl --no-ask-password start 'home-lab-alert@home-lab-model@small.service.service'",
        "systemctl --no-ask-password stop dbus",
        "systemctl --no-ask-password start rescue.target",
    ];
    let further = further.map(str::to_owned);
    assert_eq!(permitted(|script| within(machine, INFERENCE, script), &further), "");
}

/// No other user can start one.
#[track_caller]
fn others(machine: &Machine) {
    let verbs = ["start", "stop", "restart", "reset-failed"];
    let commands = verbs.map(|verb| format!("systemctl --no-ask-password {verb} home-lab-model@big"));
    for user in ["op", "home-lab-shutdown", "home-lab-model", "home-lab-alert", "nobody"] {
        assert_eq!(permitted(|script| machine.run_as(user, script), &commands), "", "{user}");
    }
    assert_eq!(permitted(|script| within(machine, SHUTDOWN, script), &commands), "");
    assert_eq!(show(machine, BIG, "ActiveState"), "active");
    machine.wait_for_unit("home-lab-model@broken.service", "inactive", SOON);
}

/// Returns the running models, one per line.
#[track_caller]
fn running(machine: &Machine) -> String {
    let list =
        "systemctl list-units --plain --no-legend --state=active 'home-lab-model@*' | cut -d' ' -f1 | sort";
    machine.run(list).ok().stdout
}
