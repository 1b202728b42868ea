//! The gateway and everything around it, in one binary. All of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    firedoor::ops::cli::main()
}
