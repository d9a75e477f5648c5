//! `cargo xtask --help`: the commands, grouped by what one has in hand.

use std::fmt::Write as _;

use clap::Command;

/// Every command, in one group.
const GROUPS: &[(&str, &[&str])] = &[
    ("Try it", &["up", "token"]),
    ("Change it", &["test", "build", "openapi", "api", "conformance"]),
    ("Measure it", &["bench", "explain", "load", "soak"]),
    ("Operate it", &["deploy", "migrate", "redis"]),
];

/// `command` with its subcommands listed by group.
pub fn grouped(command: Command) -> Command {
    let header = *command.get_styles().get_header();
    let mut template = "{about}\n\n{usage-heading} {usage}\n".to_owned();
    for (title, names) in GROUPS {
        let _ = write!(template, "\n{header}{title}:{header:#}\n{}", listed(&command, names));
    }
    let _ = write!(
        template,
        "\n{header}Options:{header:#}\n{{options}}\n\n`cargo xtask COMMAND --help` has the options of each."
    );
    command.help_template(template)
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
