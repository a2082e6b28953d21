//! What README.md shows of a robot, typed on one.

use std::fs;
use std::path::Path;

use support::robot::package;
use testbed::{Machine, Result, Suite, ros};

#[test]
fn what_the_readme_types_on_a_robot_works_there() -> Result<()> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md"))?;
    let blocks: Vec<&str> =
        readme.split("```").skip(1).step_by(2).filter_map(|b| b.strip_prefix("console robot\n")).collect();
    assert!(blocks.len() >= 2);
    let robot = Machine::on(Suite::Trixie).files(ros::stand_in()).user("op", &[]).boot()?;
    let deb = package("deb");
    robot.put_file(deb, &format!("/{}", deb.file_name().unwrap().to_str().unwrap()));
    for block in blocks {
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            let mut expected = String::new();
            while let Some(output) = lines.next_if(|l| !l.starts_with("# ") && !l.starts_with("op$ ")) {
                expected.push_str(output);
                expected.push('\n');
            }
            let output = match (line.strip_prefix("# "), line.strip_prefix("op$ ")) {
                (Some(command), _) => robot.run(command),
                (_, Some(command)) => robot.run_as("op", command),
                _ => panic!("`{line}` is typed by nobody"),
            };
            let output = output.ok();
            if !expected.is_empty() {
                assert_eq!(output.text(), expected.trim_end(), "{line}");
            }
        }
    }
    Ok(())
}
