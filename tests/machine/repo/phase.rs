//! A phased release: apt's choice of machines is computed here too.

use std::collections::BTreeSet;

use support::robot::{next, package};
use testbed::{Result, Suite};

use crate::site::{Repo, boot, pasted, quiet, run};

const MACHINES: usize = 60;

#[test]
fn sixty_machines_see_a_phased_release_as_apt_computes_it() -> Result<()> {
    let repo = Repo::new("phase");
    repo.publish(package("deb"), &[]);
    let robot = boot(Suite::Trixie, &repo)?;
    quiet(&robot, &pasted(&repo));
    let mut reached = 0;
    for percent in [10, 50, 100] {
        repo.publish(next("deb"), &["--phase", &format!("rovi-services=0.2.0:{percent}")]);
        repo.serve(&robot);
        quiet(&robot, "apt-get update");
        let script = "seq 1 60 | xargs -P 2 -I@ sh -c '
            id=$(printf %032x @)
            apt-get -s -o APT::Machine-ID=$id upgrade | grep -q \"^Inst rovi-services \" && echo $id || true'";
        let seen: BTreeSet<String> = run(&robot, script).ok().text().lines().map(str::to_owned).collect();
        let expected: BTreeSet<String> =
            (1..=MACHINES).map(|i| format!("{i:032x}")).filter(|id| offered(id, percent)).collect();
        assert_eq!(seen, expected, "{percent} %");
        assert!(seen.len() > reached, "{percent} %: {}", seen.len());
        reached = seen.len();
    }
    assert_eq!(reached, MACHINES);
    Ok(())
}

/// apt's choice: a random number between 0 and 100 from the C++ library's generator, seeded with package,
/// version and machine.
fn offered(id: &str, percent: u32) -> bool {
    let seed = format!("rovi-services-0.2.0-{id}");
    let mut state = u64::from(seeds(seed.as_bytes())[3]) % 2_147_483_647;
    if state == 0 {
        state = 1;
    }
    let scale = 2_147_483_645 / 101;
    loop {
        state = state * 48_271 % 2_147_483_647;
        if (state - 1) < 101 * scale {
            return (state - 1) / scale <= u64::from(percent);
        }
    }
}

/// `std::seed_seq::generate` of four numbers.
fn seeds(text: &[u8]) -> [u32; 4] {
    let mix = |x: u32| x ^ x >> 27;
    let (mut b, s) = ([0x8b8b_8b8b_u32; 4], text.len());
    let m = (s + 1).max(4);
    for k in 0..m {
        let r1 = 1_664_525_u32.wrapping_mul(mix(b[k % 4] ^ b[(k + 1) % 4] ^ b[(k + 3) % 4]));
        let add = match k {
            0 => s as u32,
            k if k <= s => (k % 4) as u32 + u32::from(text[k - 1]),
            k => (k % 4) as u32,
        };
        let r2 = r1.wrapping_add(add);
        b[(k + 1) % 4] = b[(k + 1) % 4].wrapping_add(r1);
        b[(k + 2) % 4] = b[(k + 2) % 4].wrapping_add(r2);
        b[k % 4] = r2;
    }
    for k in m..m + 4 {
        let sum = b[k % 4].wrapping_add(b[(k + 1) % 4]).wrapping_add(b[(k + 3) % 4]);
        let r3 = 1_566_083_941_u32.wrapping_mul(mix(sum));
        let r4 = r3.wrapping_sub((k % 4) as u32);
        b[(k + 1) % 4] ^= r3;
        b[(k + 2) % 4] ^= r4;
        b[k % 4] = r4;
    }
    b
}
