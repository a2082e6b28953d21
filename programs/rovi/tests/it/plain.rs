use support::plain::{HOSTILE, refuses};

#[test]
fn no_error_is_more_than_text_on_a_line() {
    refuses(env!("CARGO_BIN_EXE_rovi"), &[HOSTILE]);
}
