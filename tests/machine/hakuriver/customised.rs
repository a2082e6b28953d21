//! Administrators' changes, their fate during an upgrade, and failures.

use testbed::Result;

use crate::cluster::{
    HOST, PROXY, RUNNERS, SOCKET, SOON, TASKS, ask, cluster, customise, next, nodes, on_every_suite, show,
    shows, state,
};

#[test]
fn h3_h9_h10_as_shipped_as_customised_and_when_it_fails() -> Result<()> {
    on_every_suite(|suite| {
        let machine = cluster(suite).boot()?;
        for unit in [HOST, RUNNERS[0]] {
            shows(
                &machine,
                unit,
                &[
                    ("Restart", "on-failure"),
                    ("RestartUSec", "5s"),
                    ("TimeoutStartUSec", "2min"),
                    ("TimeoutStopUSec", "2min"),
                    ("NoNewPrivileges", "yes"),
                    ("ProtectSystem", "strict"),
                    ("ProtectHome", "read-only"),
                    ("PrivateTmp", "yes"),
                    ("StateDirectoryMode", "0750"),
                ],
            );
            assert!(show(&machine, unit, "EnvironmentFiles").contains("/etc/hakuriver/.env.node"));
            assert!(show(&machine, unit, "OnFailure").contains(&format!("hakuriver-alert@{unit}.service")));
        }
        shows(&machine, HOST, &[("CPUQuotaPerSecUSec", "2s"), ("MemoryMax", "4294967296")]);
        shows(&machine, RUNNERS[0], &[("CPUQuotaPerSecUSec", "8s"), ("MemoryMax", "17179869184")]);
        for unit in [HOST, PROXY, SOCKET, RUNNERS[0], TASKS, "hakuriver-tasks.slice"] {
            // It exits with 0 even for errors, so there must be no output.
            let verify = machine.run(&format!("systemd-analyze verify --man=no {unit}")).ok();
            assert_eq!((verify.text(), verify.stderr.trim()), ("", ""), "{unit}");
        }

        // The administrator's settings take precedence, also after an upgrade, which only restarts what runs.
        machine.put("/etc/hakuriver/site.env", 0o600, "SITE=here\n");
        let own = "[Service]\nRestart=always\nCPUQuota=400%\nMemoryMax=8G\nTimeoutStopSec=90\nLimitNOFILE=65536\n\
                   EnvironmentFile=/etc/hakuriver/site.env\n";
        customise(&machine, HOST, own);
        customise(&machine, "hakuriver-runner@2.service", "[Service]\nMemoryMax=1G\n");
        machine.run("echo '# mine' >>/etc/hakuriver/runner/1.env").ok();
        machine.run(&format!("systemctl start {HOST} {TASKS}")).ok();
        let before = [HOST, TASKS].map(|unit| show(&machine, unit, "MainPID"));
        machine.install(next()).ok();
        machine.wait_for_unit(HOST, "active", SOON);
        let after = [HOST, TASKS].map(|unit| show(&machine, unit, "MainPID"));
        assert!(before[0] != after[0] && before[1] == after[1], "{before:?} {after:?}");
        shows(
            &machine,
            HOST,
            &[
                ("Description", "Next HakuRiver host"),
                ("Restart", "always"),
                ("CPUQuotaPerSecUSec", "4s"),
                ("MemoryMax", "8589934592"),
                ("TimeoutStopUSec", "1min 30s"),
                ("LimitNOFILE", "65536"),
            ],
        );
        machine.run(&format!("grep -z SITE=here /proc/{}/environ", after[0])).ok();
        shows(&machine, "hakuriver-runner@2.service", &[("MemoryMax", "1073741824")]);
        shows(&machine, RUNNERS[0], &[("MemoryMax", "17179869184")]);
        assert!(machine.read("/etc/hakuriver/runner/1.env").unwrap().ends_with("# mine\n"));

        // A failure is reported through the machine's mail system.
        machine.put("/usr/sbin/sendmail", 0o755, "#!/bin/sh\nexec cat >/dev/shm/mail\n");
        machine.put("/etc/hakuriver/alert.conf", 0o600, "MailTo=ana@example.org\n");
        customise(&machine, HOST, "[Service]\nRestart=no\n");
        machine.run(&format!("systemctl kill --kill-whom=main --signal=KILL {HOST}")).ok();
        machine.wait_for("a mail", SOON, || {
            machine.read("/dev/shm/mail").is_some_and(|mail| mail.contains(HOST))
        });
        assert!(machine.read("/dev/shm/mail").unwrap().contains("To: ana@example.org"));

        // If the host cannot start, connections fail but the socket stays, and works again once the fault is
        // fixed.
        machine.run("mv /etc/hakuriver/host.toml /etc/hakuriver/away").ok();
        ask(&machine, "GET", "8000/nodes", None).fails();
        assert_eq!(
            (state(&machine, HOST), state(&machine, SOCKET)),
            ("failed".to_owned(), "active".to_owned())
        );
        assert!(machine.journal_of(HOST).contains("/etc/hakuriver/host.toml"));
        machine.run("mv /etc/hakuriver/away /etc/hakuriver/host.toml").ok();
        assert!(nodes(&machine).is_empty());

        // A required unit: missing, then failing.
        machine.run(&format!("systemctl stop {HOST}")).ok();
        customise(&machine, HOST, "[Unit]\nRequires=docker.service\nAfter=docker.service\n");
        machine.run(&format!("systemctl start {HOST}")).fails().says("Unit docker.service not found.");
        machine.put(
            "/etc/systemd/system/docker.service",
            0o644,
            "[Service]\nType=oneshot\nExecStart=false\n",
        );
        machine.run("systemctl daemon-reload").ok();
        machine
            .run(&format!("systemctl start {HOST}"))
            .fails()
            .says("A dependency job for hakuriver-host.service failed");
        Ok(())
    })
}
