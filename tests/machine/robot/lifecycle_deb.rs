//! The lifecycle of a Debian package: first installation, remove, purge, and repeated scripts.

use support::robot::{SECOND, SUITES, package, robot};
use testbed::{Machine, Result, at_once, ros};

use crate::life::{of, ready, up};
use crate::lifecycle::{
    GATEWAY, LINK, bare, by_hand, dpkg, gateway, has_users_and_directories, pid, show, traces,
};

/// Returns a program that records its call before it executes the real one; maintainer scripts find it first.
fn recorder(name: &str) -> (String, u32, String) {
    let text = format!("#!/bin/sh\necho \"{name} $*\" >>/var/tmp/calls\nexec /usr/bin/{name} \"$@\"\n");
    (format!("/usr/local/sbin/{name}"), 0o755, text)
}

#[test]
fn b1_b2_b3_b4_the_postinst_makes_users_then_directories_then_links_then_starts() -> Result<()> {
    at_once(SUITES, |suite| {
        let programs = ["systemd-sysusers", "systemd-tmpfiles", "deb-systemd-helper", "deb-systemd-invoke"];
        let plan = programs
            .map(recorder)
            .into_iter()
            .fold(bare(suite), |plan, (path, mode, text)| plan.file(&path, mode, text));
        let robot = plan.boot()?;
        robot.run("rm /var/tmp/calls").ok();
        dpkg(&robot, package("deb")).ok();
        let expected = "\
            systemd-sysusers rovi.conf\n\
            systemd-tmpfiles --create rovi.conf\n\
            deb-systemd-helper unmask rovi-gateway.service\n\
            deb-systemd-helper --quiet was-enabled rovi-gateway.service\n\
            deb-systemd-helper enable rovi-gateway.service\n\
            deb-systemd-invoke start rovi-gateway.service\n";
        assert_eq!(robot.read("/var/tmp/calls").unwrap(), expected, "{suite}");
        assert_eq!(gateway(&robot), "active enabled");
        robot.run("getent group rovi-ops").ok();
        has_users_and_directories(&robot);
        let depends = robot.run("dpkg-query --show --showformat '${Depends}' rovi-services").ok();
        depends.says("systemd | systemd-standalone-sysusers | systemd-sysusers");
        // Only the gateway can be enabled, not the stacks.
        let enabled =
            robot.run("systemctl list-unit-files --state=enabled --no-legend --plain 'rovi-*'").ok();
        assert_eq!(enabled.stdout.lines().count(), 1, "{enabled}");

        // The scripts check the administrator's choice before they enable anything again.
        robot.run(&format!("systemctl disable --now {GATEWAY}; rm /var/tmp/calls")).ok();
        robot.run("dpkg --install /var/tmp/rovi-services*.deb").ok();
        let calls = robot.read("/var/tmp/calls").unwrap();
        let helper: Vec<&str> = calls.lines().filter(|l| l.starts_with("deb-systemd-helper")).collect();
        assert_eq!(
            helper,
            [
                "deb-systemd-helper unmask rovi-gateway.service",
                "deb-systemd-helper --quiet was-enabled rovi-gateway.service",
                "deb-systemd-helper update-state rovi-gateway.service",
            ]
        );
        assert_eq!(gateway(&robot), "inactive disabled");
        Ok(())
    })
}

#[test]
fn b1_abort_leaves_what_ran_running_and_what_was_stopped_stopped() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        let before = pid(&robot, GATEWAY);
        for call in ["postinst abort-upgrade 0.2.0", "postinst abort-deconfigure in-favour other 1"] {
            script(&robot, call);
            assert_eq!(pid(&robot, GATEWAY), before, "{call}");
        }
        // A removal that was interrupted after the services were stopped.
        script(&robot, "prerm remove");
        assert_eq!(gateway(&robot), "inactive enabled");
        script(&robot, "postinst abort-remove");
        assert_eq!(gateway(&robot), "active enabled");

        robot.run(&format!("systemctl stop {GATEWAY}")).ok();
        for call in ["postinst abort-upgrade 0.2.0", "postinst abort-deconfigure in-favour other 1"] {
            script(&robot, call);
            assert_eq!(gateway(&robot), "inactive enabled", "{call}");
        }
        script(&robot, "prerm remove");
        script(&robot, "postinst abort-remove");
        assert_eq!(gateway(&robot), "inactive enabled");
        Ok(())
    })
}

#[test]
fn b5_a_preset_of_the_administrator_keeps_the_gateway_off() -> Result<()> {
    at_once(SUITES, |suite| {
        let preset = format!("# Ours.\nenable other.service\ndisable {GATEWAY}");
        let robot = bare(suite).file("/etc/systemd/system-preset/10-site.preset", 0o644, preset).boot()?;
        dpkg(&robot, package("deb")).ok();
        assert_eq!(gateway(&robot), "inactive disabled");
        // The choice can be changed, and the change persists.
        robot.run(&format!("systemctl enable --now {GATEWAY}")).ok();
        dpkg(&robot, package("deb")).ok();
        assert_eq!(gateway(&robot), "active enabled");
        Ok(())
    })
}

#[test]
fn b6_b20_a_mask_from_before_the_installation_survives_everything() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = bare(suite).boot()?;
        robot.run(&format!("systemctl mask {GATEWAY}")).ok();
        dpkg(&robot, package("deb")).ok();
        assert_eq!(gateway(&robot), "inactive masked");
        for verb in ["remove", "purge"] {
            robot.run(&format!("dpkg --{verb} rovi-services")).ok();
            assert_eq!(gateway(&robot), "inactive masked", "{verb}");
        }
        Ok(())
    })
}

#[test]
fn b7_nothing_starts_or_restarts_where_policy_rc_d_forbids_it() -> Result<()> {
    at_once(SUITES, |suite| {
        let policy = "/usr/sbin/policy-rc.d";
        let robot = bare(suite).file(policy, 0o755, "#!/bin/sh\nexit 101\n").boot()?;
        dpkg(&robot, package("deb")).ok();
        assert_eq!(gateway(&robot), "inactive enabled");
        robot.run(&format!("systemctl start {GATEWAY}")).ok();
        let before = pid(&robot, GATEWAY);
        dpkg(&robot, package("deb")).ok();
        assert_eq!(pid(&robot, GATEWAY), before);
        Ok(())
    })
}

#[test]
fn b17_needrestart_leaves_our_units_alone_and_only_ours() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        // Like needrestart: its configuration evaluates each file, and every unit to be restarted is matched
        // against every expression.
        let asks = r#"
            our %nrconf = (override_rc => {});
            foreach my $fn (sort </etc/needrestart/conf.d/*.conf>) {
                eval do { local (@ARGV, $/) = $fn; <> };
                die "$fn: $@" if $@;
            }
            while (my $rc = <STDIN>) {
                chomp $rc;
                my ($restart) = map { $nrconf{override_rc}{$_} } grep { $rc =~ /$_/ } keys %{$nrconf{override_rc}};
                print "$rc ", $restart // "as usual", "\n";
            }
        "#;
        robot.put("/var/tmp/asks.pl", 0o644, asks);
        let ours = robot.run("cd /usr/lib/systemd/system && ls -d rovi-*.service").ok().stdout;
        let foreign = "dbus.service\nrovi-gateway.service.d\nrovi-navigator.service\nxrovi-nav.service\n\
            rovi-gateway-service\n";
        robot.put("/var/tmp/units", 0o644, format!("{ours}{foreign}"));
        let said = robot.run("perl -w /var/tmp/asks.pl </var/tmp/units").ok();
        assert_eq!(said.stderr, "");
        let mut expected = ours.replace('\n', " 0\n");
        expected.push_str(&foreign.replace('\n', " as usual\n"));
        assert_eq!(said.stdout, expected);
        assert_eq!(ours.lines().count(), 6);
        Ok(())
    })
}

#[test]
fn b17_needrestart_restarts_what_has_an_old_library_and_no_robot_that_moves() -> Result<()> {
    at_once(SUITES, |suite| {
        let lamp = "[Service]\nExecStart=sleep infinity\n";
        let robot = robot(suite)
            .with(&["needrestart"])
            .file("/etc/systemd/system/lamp.service", 0o644, lamp)
            .boot()?;
        robot.run("systemctl start lamp rovi-nav").ok();
        let ours = (pid(&robot, GATEWAY), pid(&robot, "rovi-nav.service"));
        let lamp = pid(&robot, "lamp.service");
        // Each is a launch with two nodes.
        robot.wait_for("six processes", 5 * SECOND, || ros::processes(&robot).len() == 6);
        // An update of a library that all of them have loaded.
        robot.run("libc=$(realpath /lib/*/libc.so.6) && cp -a $libc $libc.new && mv $libc.new $libc").ok();
        let asked = robot.run("needrestart -b -l").ok();
        for unit in ["lamp.service", GATEWAY, "rovi-nav.service"] {
            assert!(asked.stdout.contains(&format!("NEEDRESTART-SVC: {unit}\n")), "{suite}: {asked}");
        }
        robot.script("needrestart -r a -l").within(60 * SECOND).run().ok();
        robot.wait_for("a new lamp", 10 * SECOND, || show(&robot, "lamp.service", "MainPID") != lamp);
        assert_eq!((pid(&robot, GATEWAY), pid(&robot, "rovi-nav.service")), ours);
        let all = ros::processes(&robot);
        assert!(all.len() == 6 && all.iter().all(|p| p.signals.is_empty() && p.status.is_none()), "{all:?}");
        Ok(())
    })
}

#[test]
fn b18_b19_remove_stops_everything_and_a_reinstallation_restores_the_choice() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot.run("systemctl start rovi-nav && echo '# Mine.' >>/etc/rovi/.env.robot").ok();
        up(&robot, &of("nav"));
        // Only a removal stops the services: the same script for an upgrade does not.
        script(&robot, "prerm upgrade 0.2.0");
        assert_eq!(gateway(&robot), "active enabled");
        robot.run("apt-get -q -y remove rovi-services").ok();
        for unit in [GATEWAY, "rovi-nav.service"] {
            assert_eq!(show(&robot, unit, "ActiveState"), "inactive", "{unit}");
        }
        robot.run("pgrep -u rovi").fails();
        assert!(robot.read("/etc/rovi/.env.robot").unwrap().ends_with("# Mine.\n"));
        robot.run(&format!("test -L {LINK}")).ok();
        robot.run("ls /run/rovi").ok().says("stack.lock");

        // The gateway was enabled, so it is active again; a person has to start the stack.
        robot.install(package("deb")).ok();
        assert_eq!(gateway(&robot), "active enabled");
        assert_eq!(show(&robot, "rovi-nav.service", "ActiveState"), "inactive");
        assert!(robot.read("/etc/rovi/.env.robot").unwrap().ends_with("# Mine.\n"));

        for (choice, state) in [("disable", "inactive disabled"), ("mask", "inactive masked")] {
            robot.run(&format!("systemctl {choice} --now {GATEWAY}")).ok();
            robot.run("dpkg --remove rovi-services").ok();
            dpkg(&robot, package("deb")).ok();
            assert_eq!(gateway(&robot), state);
        }
        Ok(())
    })
}

#[test]
fn b20_b21_purge_leaves_users_and_nothing_else() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot.run("systemctl start rovi-nav").ok();
        robot.run("apt-get -q -y purge rovi-services").ok();
        assert_eq!(only_users_stay(&robot), "");
        assert_eq!(robot.run("dpkg-query --list rovi-services | grep ^.[^n]").text(), "");

        // When a package is purged after its removal, the helpers and all our other files are already gone.
        dpkg(&robot, package("deb")).ok();
        assert_eq!(gateway(&robot), "active enabled");
        robot.run("dpkg --remove rovi-services").ok();
        robot
            .run(
                "cd /usr/bin && rm deb-systemd-helper deb-systemd-invoke systemd-tmpfiles systemd-sysusers
                 rm -r /run/rovi /etc/rovi /etc/needrestart",
            )
            .ok();
        robot.run("dpkg --purge rovi-services").ok();
        robot.run("dpkg-query --status rovi-services").fails();
        assert!(!robot.has("/run/rovi"));
        robot.run("systemctl daemon-reload; systemctl is-system-running").ok();
        Ok(())
    })
}

#[test]
fn b20_what_runs_by_hand_ends_before_the_package_goes() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        by_hand(&robot, "nav");
        robot.run("dpkg --purge rovi-services").ok();
        robot.run("pgrep -u rovi").fails();
        let launch = ros::processes(&robot).into_iter().find(|p| p.argv.contains(&"stack:=nav".to_owned()));
        let launch = launch.unwrap();
        assert_eq!((launch.count("SIGINT"), launch.signals.len(), launch.status), (1, 1, Some(0)));
        assert_eq!(only_users_stay(&robot), "");

        // No unit stops the nodes of a killed run_stack. Without the package nothing would know about them,
        // and new stacks would run beside them.
        dpkg(&robot, package("deb")).ok();
        by_hand(&robot, "nav");
        robot.run("pkill -KILL -f '^/usr/libexec/rovi/run_stack nav'").ok();
        for verb in ["remove", "purge"] {
            robot.run(&format!("dpkg --{verb} rovi-services")).fails().says("must end first").says("nav");
            assert_eq!(gateway(&robot), "active enabled");
            robot.run("systemctl start rovi-camera").fails();
        }
        robot.run("kill -INT -- $(run_stack --busy | sed -n 's/.*has left processes running: //p')").ok();
        robot.wait_for("the end of the nodes", 10 * SECOND, || !robot.run("run_stack --busy").success());
        robot.run("dpkg --purge rovi-services").ok();
        assert_eq!(only_users_stay(&robot), "");
        Ok(())
    })
}

#[test]
fn b22_purge_leaves_no_link_even_when_the_helpers_are_gone() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot.run("dpkg --remove rovi-services && rm /usr/bin/deb-systemd-helper /run/rovi -r").ok();
        robot.run("dpkg --purge rovi-services").ok();
        assert_eq!(only_users_stay(&robot), "");
        Ok(())
    })
}

/// Checks that users and groups exist; returns what else is left.
#[track_caller]
fn only_users_stay(robot: &Machine) -> String {
    robot.run("getent group rovi rovi-ops && getent passwd rovi").ok();
    robot.run("find /etc /run /usr /var/lib/systemd /var/lib/dpkg/info -name 'rovi*' -print").stdout.clone()
}

/// Calls a maintainer script of the installed package as dpkg does.
#[track_caller]
fn script(robot: &Machine, call: &str) {
    let call = format!("/var/lib/dpkg/info/rovi-services.{call}");
    let words: Vec<&str> = call.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
    robot.command(&words).env("DPKG_MAINTSCRIPT_PACKAGE", "rovi-services").within(20 * SECOND).run().ok();
}

/// Every way in which Debian Policy allows a script to be called; `-` is an empty argument.
const CALLS: [&str; 23] = [
    "preinst install",
    "preinst install 0.0.9",
    "preinst upgrade 0.0.9",
    "preinst abort-upgrade 0.2.0",
    "postinst configure",
    "postinst configure -",
    "postinst configure 0.0.9",
    "postinst abort-upgrade 0.2.0",
    "postinst abort-deconfigure in-favour other 1 removing third 2",
    "postinst triggered rovi",
    "prerm upgrade 0.2.0",
    "prerm failed-upgrade 0.0.9",
    "prerm deconfigure in-favour other 1 removing third 2",
    "prerm remove",
    "prerm remove in-favour other 1",
    "postinst abort-remove",
    "postinst abort-remove in-favour other 1",
    "postrm upgrade 0.2.0",
    "postrm failed-upgrade 0.0.9",
    "postrm abort-install",
    "postrm abort-upgrade 0.0.9",
    "postrm disappear other 1",
    "postrm remove",
];

#[test]
fn b23_every_script_may_be_called_twice_in_every_way() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        let state = || format!("{}\n{}", gateway(&robot), traces(&robot));
        for call in CALLS {
            script(&robot, call);
            let once = state();
            script(&robot, call);
            assert_eq!(state(), once, "{suite}: {call}");
        }
        // None of this did harm: the service still runs and can be removed.
        script(&robot, "postinst configure -");
        assert_eq!(gateway(&robot), "active enabled");
        robot.run("dpkg --purge rovi-services").ok();
        assert_eq!(only_users_stay(&robot), "");
        Ok(())
    })
}
