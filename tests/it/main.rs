//! The programs as a person meets them: real binaries, real processes, real sockets.

mod run_stack;
