#![allow(missing_docs, clippy::unwrap_used)]
use machine::{Machine, Suite};
#[test]
fn exp() {
    let suite = if std::env::var("SUITE").unwrap_or_default() == "bookworm" {
        Suite::Bookworm
    } else {
        Suite::Trixie
    };
    let mut plan = Machine::on(suite);
    if let Ok(r) = std::env::var("REQ") {
        plan = plan.python("/opt/hakuriver/venv", &std::fs::read_to_string(r).unwrap());
    }
    let m = plan.boot().unwrap();
    let script = std::fs::read_to_string(std::env::var("EXP").unwrap()).unwrap();
    let out = m.script(&script).within(std::time::Duration::from_secs(120)).run();
    println!("{out}");
}
