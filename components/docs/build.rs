//! Writes the table of the files that are built in.

use std::process::ExitCode;

fn main() -> ExitCode {
    match embed::write_files() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
