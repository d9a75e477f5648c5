//! `cargo xtask completions`

use anyhow::Result;
use clap::{Args, CommandFactory, ValueEnum};

use crate::Arguments;
use crate::report::{own_stdout, print};

/// Where each shell looks. `cargo xtask` is a command of cargo's, which has a completion of its own: each script completes `xtask`,
/// and then adds to that of cargo in the way of its shell.
pub const INSTALL: &str = "\
Install it for `cargo xtask`, and again after commands have changed:
  bash  mkdir -p ~/.local/share/renttracker
        cargo xtask completions bash > ~/.local/share/renttracker/xtask.bash
        and in ~/.bashrc, behind what completes cargo itself (source <(rustup completions bash cargo)):
        source ~/.local/share/renttracker/xtask.bash
  zsh   mkdir -p ~/.zfunc
        cargo xtask completions zsh > ~/.zfunc/_cargo-xtask
        and in ~/.zshrc, before compinit is called: fpath+=~/.zfunc
  fish  cargo xtask completions fish > ~/.config/fish/conf.d/xtask.fish";

#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Those whose completion of cargo can be added to.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Fish,
    Zsh,
}

impl Completions {
    /// Prints the script.
    pub fn run(self) -> Result<()> {
        print(&mut own_stdout()?, self.shell.script().trim_end())?;
        Ok(())
    }
}

impl Shell {
    fn script(self) -> String {
        let (shell, cargo) = match self {
            Shell::Bash => (clap_complete::Shell::Bash, include_str!("completions/cargo.bash")),
            Shell::Fish => (clap_complete::Shell::Fish, include_str!("completions/cargo.fish")),
            Shell::Zsh => (clap_complete::Shell::Zsh, include_str!("completions/cargo.zsh")),
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "xtask", &mut script);
        String::from_utf8_lossy(&script).into_owned() + cargo
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::shell::output;

    /// What bash offers behind these words, the last of which is being typed.
    fn offered(words: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("xtask.bash");
        std::fs::write(&file, Shell::Bash.script()).expect("written");
        let line = words.join("' '");
        let (last, cursor) = (words[words.len() - 1], words.len() - 1);
        let script = format!(
            "_cargo() {{ COMPREPLY=(of-cargo); }}
             source {}
             COMP_WORDS=('{line}') COMP_CWORD={cursor}
             _cargo_xtask cargo '{last}' '{}'
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display(),
            words[cursor - 1]
        );
        let printed = output(Command::new("bash").args(["--norc", "-c", &script])).expect("bash");
        printed.lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_completes_commands_options_and_values_behind_cargo_xtask() {
        let check = |words: &[&str], expected: &str| {
            let offered = offered(words);
            assert!(offered.iter().any(|word| word == expected), "{words:?}: {offered:?}");
        };
        check(&["cargo", "xtask", ""], "doctor");
        check(&["cargo", "xtask", "doc"], "doctor");
        check(&["cargo", "xtask", "deploy", ""], "check");
        check(&["cargo", "xtask", "redis", "verify", "--j"], "--json");
        check(&["cargo", "xtask", "deploy", "check", "--target", "one"], "one-machine");
        check(&["cargo", "xtask", "completions", "z"], "zsh");
    }

    #[test]
    fn bash_leaves_the_other_commands_of_cargo_to_cargo() {
        for words in [&["cargo", "build", ""], &["cargo", "", ""]] {
            assert_eq!(offered(words), ["of-cargo"]);
        }
        assert_eq!(offered(&["cargo", "xtask"]), ["of-cargo"], "it is still being typed");
    }

    #[test]
    fn every_shell_is_given_the_commands_and_the_way_from_cargo_to_them() {
        for (shell, way) in [
            (Shell::Bash, "complete -o bashdefault -o default -F _cargo_xtask cargo"),
            (Shell::Fish, "complete -c cargo -n '__fish_seen_subcommand_from xtask'"),
            (Shell::Zsh, "_cargo-xtask() { _xtask \"$@\" }"),
        ] {
            let script = shell.script();
            assert!(script.contains(way), "{shell:?}");
            for name in ["doctor", "completions", "migrate", "without-chaining"] {
                assert!(script.contains(name), "{shell:?} lacks {name}");
            }
            let name = format!("{shell:?}").to_lowercase();
            assert!(INSTALL.contains(&format!("cargo xtask completions {name} > ~/")), "{name}");
        }
    }
}
