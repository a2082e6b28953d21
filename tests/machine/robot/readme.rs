//! The robot commands in README.md and `docs/`, run on a robot.

use support::pages::pages;
use support::robot::package;
use testbed::{Machine, Result, Suite, ros};

#[test]
fn what_the_pages_type_on_a_robot_works_there() -> Result<()> {
    let pages = pages();
    let blocks: Vec<_> = pages
        .iter()
        .flat_map(|page| page.blocks().into_iter().map(move |block| (page, block)))
        .filter(|(_, block)| block.fence == "console robot")
        .collect();
    for path in ["README.md", "docs/quick-start.md", "docs/operator.md"] {
        assert!(blocks.iter().any(|(page, _)| page.path == path), "{path}");
    }
    let robot = Machine::on(Suite::Trixie).files(ros::stand_in()).user("op", &[]).boot()?;
    let deb = package("deb");
    robot.put_file(deb, &format!("/dist/{}", deb.file_name().unwrap().to_str().unwrap()));
    for (page, block) in blocks {
        let mut lines = block.text.lines().peekable();
        while let Some(line) = lines.next() {
            let mut expected = String::new();
            while let Some(output) = lines.next_if(|l| !l.starts_with("# ") && !l.starts_with("op$ ")) {
                expected.push_str(output);
                expected.push('\n');
            }
            let output = match (line.strip_prefix("# "), line.strip_prefix("op$ ")) {
                (Some(command), _) => robot.run(command),
                (_, Some(command)) => robot.run_as("op", command),
                _ => panic!("{}: `{line}` is typed by nobody", page.path),
            };
            let output = output.ok();
            if !expected.is_empty() {
                assert_eq!(output.text(), expected.trim_end(), "{}: {line}", page.path);
            }
        }
    }
    Ok(())
}
