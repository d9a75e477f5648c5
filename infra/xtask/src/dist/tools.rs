//! What checks releases and their workflows, from PyPI.

use std::path::PathBuf;

use anyhow::Result;

use crate::python;

/// Made from `requirements.in` beside it, which says what is in it and why.
const REQUIREMENTS: &str = "infra/xtask/release/requirements.txt";
const ENVIRONMENT: &str = "target/tools/release";

/// Where their programs are.
pub fn tools() -> Result<PathBuf> {
    python::environment(REQUIREMENTS, ENVIRONMENT, "they check releases and the workflows that make them")
}
