//! `rovi VERB`: starts, stops and watches the services of its product. See rovi(1); the table of verbs is in
//! `cli.rs`, and each verb has a file in `cli/`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(rovi::cli::main(std::env::args_os().skip(1)))
}
