//! Proves the test machine itself: everything that scenarios rest on.

use machine::{Machine, Result, Suite};
use std::time::Duration;

#[test]
fn try_it() -> Result<()> {
    for suite in [Suite::Trixie, Suite::Bookworm] {
        let m = Machine::on(suite).file("/etc/x", 0o600, "y\n").user("op", &["rovi-ops"]).boot()?;
        eprintln!("{suite} booted in {:?}", m.boot_time());
        eprintln!("{:?}", m.run("systemctl is-system-running --wait; cat /etc/x; systemctl --failed; cat /proc/self/cgroup; hostname; systemctl list-jobs").ok());
        eprintln!("{:?}", m.run_as("op", "id; env; pwd; ps -o pid,pgid,sid -p $$; systemctl stop dbus").fails());
        let mut s = m.login_session("op");
        eprintln!("session {}", s.id());
        eprintln!("{:?}", s.run("loginctl; tty; cat /proc/self/cgroup|tail -1"));
        s.type_line("sleep 100");
        m.wait_for("sleep", Duration::from_secs(2), || m.run("pgrep -x sleep").success());
        s.interrupt();
        eprintln!("{:?}", s.finish(Duration::from_secs(5)));
        s.logout();
        eprintln!("took {:?}", m.run("true").ok().took);
        let k = m.mark();
        let _ = m.run("logger hallo welt").ok();
        eprintln!("{}", m.wait_for_journal(&k, "hallo", Duration::from_secs(3)));
        eprintln!("since {}", m.journal_since(&k));
        eprintln!("console {}", m.console());
        eprintln!("warnings {}", m.run("journalctl -p warning --no-pager").stdout);
        let t = std::time::Instant::now();
        drop(m);
        eprintln!("down in {:?}", t.elapsed());
    }
    Ok(())
}
