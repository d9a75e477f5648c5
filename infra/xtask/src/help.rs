//! `cargo xtask --help`: the commands, grouped by what one has in hand.

use std::fmt::Write as _;

use clap::Command;

/// Every command, in one group.
const GROUPS: &[(&str, &[&str])] = &[
    ("Set it up", &["doctor", "completions"]),
    ("Try it", &["up", "logs", "token"]),
    ("Change it", &["test", "build", "assets", "openapi", "api", "client", "generators", "browser", "conformance"]),
    ("Measure it", &["bench", "explain", "load", "soak"]),
    ("Operate it", &["deploy", "dist", "migrate", "redis"]),
];

/// The argument by which a command reports.
const REPORTS: &str = "json";

/// What `README.md` has a table of.
const EXIT_CODES: &str = "0 done, 1 failed or found something wrong, 2 not understood, 130 interrupted";

/// `command` with its subcommands listed by group.
pub fn grouped(command: Command) -> Command {
    let header = *command.get_styles().get_header();
    let mut template = "{about}\n\n{usage-heading} {usage}\n".to_owned();
    for (title, names) in GROUPS {
        let _ = write!(template, "\n{header}{title}:{header:#}\n{}", listed(&command, names));
    }
    let _ = write!(
        template,
        "\n{header}Options:{header:#}\n{{options}}\n\n{header}Reports:{header:#}\n  `--json` prints what these find out as one \
         JSON document on stdout, and everything else on stderr:\n  {}\n\n{header}Exit codes:{header:#}\n  {EXIT_CODES}\n\n\
         `cargo xtask COMMAND --help` has the options of each; infra/xtask/README.md the members of each report.",
        reporting(&command).join(", ")
    );
    command.help_template(template)
}

/// The commands that report, as they are typed behind `cargo xtask`.
pub fn reporting(command: &Command) -> Vec<String> {
    let mut found = Vec::new();
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        found.extend(reporting(subcommand).into_iter().map(|rest| format!("{name} {rest}")));
        if subcommand.get_arguments().any(|argument| argument.get_id() == REPORTS) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    found
}

/// A line for each of these subcommands.
fn listed(command: &Command, names: &[&str]) -> String {
    let width = GROUPS.iter().flat_map(|(_, names)| *names).map(|name| name.len()).max().unwrap_or(0);
    let literal = *command.get_styles().get_literal();
    let line = |name: &&str| {
        let about = command.find_subcommand(name).and_then(Command::get_about)?;
        Some(format!("  {literal}{name:width$}{literal:#}  {about}\n"))
    };
    names.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::Arguments;

    #[test]
    fn each_command_is_in_exactly_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let command = Arguments::command();
        let mut known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        grouped.sort_unstable();
        known.sort_unstable();
        assert_eq!(grouped, known);
    }

    #[test]
    fn every_command_that_reports_is_in_the_help_and_in_the_readme() {
        let reporting = reporting(&Arguments::command());
        assert!(reporting.iter().any(|name| name == "redis verify") && reporting.len() > 5, "{reporting:?}");
        let help = grouped(Arguments::command()).render_help().to_string();
        assert!(help.contains(&reporting.join(", ")), "{help}");
        let readme = std::fs::read_to_string(stack::repository_root().join("infra/xtask/README.md")).expect("README");
        let mut documented: Vec<&str> = readme
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once(" --json` |"))
            .map(|it| it.0)
            .collect();
        documented.sort_unstable();
        assert_eq!(documented, reporting);
    }

    #[test]
    fn the_help_has_each_group_and_what_each_command_is_for() {
        let help = grouped(Arguments::command()).render_help().to_string();
        for (title, names) in GROUPS {
            let (_, group) = help.split_once(&format!("\n{title}:\n")).expect("the group");
            let lines: Vec<&str> = group.lines().take(names.len()).collect();
            for (line, name) in lines.iter().zip(*names) {
                let about = line.trim_start().strip_prefix(name).expect("the command").trim();
                assert!(about.len() > 10, "{line}");
            }
        }
        assert!(help.contains("Usage: cargo xtask <COMMAND>"), "{help}");
    }
}
