//! Killed at any moment with all its processes: the next run finishes, with the same result as without the
//! interruption.

use testbed::{Result, Suite};

use crate::card::{ASKED, FILE, PROGRAM, SOON, apply, everything, flashed};

/// Number of kills in an ordinary run; the long form has more.
const FEW: usize = 8;

#[test]
fn killed_at_random_moments_it_finishes_later() -> Result<()> {
    killed(FEW)
}

#[test]
#[ignore = "a minute: the same with more kills"]
fn killed_a_hundred_times_it_finishes_later() -> Result<()> {
    killed(100)
}

fn killed(times: usize) -> Result<()> {
    let machine = flashed(Suite::Trixie)?;
    machine.put(FILE, 0o644, ASKED);
    machine.run(&format!("cp {FILE} /var/tmp/asked && cp /etc/rovi/.env.robot /etc/hosts /var/tmp")).ok();
    apply(&machine).ok();
    let reference = everything(&machine);
    // Starts from a newly flashed card each time. The duration is measured first.
    let script = format!(
        "times={times} RANDOM=20261127
         fresh() {{
             pkill -KILL -u op; userdel --remove op 2>/dev/null; groupdel op 2>/dev/null
             rm -rf /var/lib/first-boot /home/op /boot/firmware/custom* /etc/ssh/ssh_host* /etc/ssh/sshd_config.d /etc/wpa_supplicant \\
                 /etc/localtime /etc/timezone /etc/default/keyboard /etc/locale.conf /etc/hostname \\
                 /etc/modprobe.d/first-boot-region.conf /etc/profile.d/50-first-boot.sh
             systemctl --quiet disable wpa_supplicant@wlan0 2>/dev/null
             cp /var/tmp/asked {FILE}; cp /var/tmp/hosts /etc/hosts; cp /var/tmp/.env.robot /etc/rovi/.env.robot
         }}
         fresh; begin=$(date +%s%N); {PROGRAM} apply 2>/dev/null; took=$((($(date +%s%N) - begin) / 1000))
         for i in $(seq $times); do
             # Every fourth begins anew, or most would find everything done.
             if [ $((i % 4)) = 1 ]; then fresh; fi
             setsid {PROGRAM} apply 2>/dev/null & pid=$!
             sleep $(printf 0.%06d $((RANDOM * took / 32768)))
             kill -KILL -- -$pid; wait $pid
         done 2>/dev/null
         exit 0"
    );
    machine.script(&script).within(SOON * 5).run().ok();
    apply(&machine).ok();
    assert_eq!(everything(&machine), reference);
    apply(&machine).ok();
    assert_eq!(everything(&machine), reference);
    Ok(())
}
