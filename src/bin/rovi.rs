//! `rovi VERB`: starts, stops and watches the services of the product beside whose table it lies. See rovi(1); the
//! table of verbs is in `src/rovi.rs`, and each verb has a file in `src/rovi/`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(rovi_services::rovi::main(std::env::args_os().skip(1)))
}
