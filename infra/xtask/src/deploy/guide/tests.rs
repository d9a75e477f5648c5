//! Every guide names commands and files that exist.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use clap::{Command, CommandFactory};

use super::*;

/// Where a word of a guide begins that names a file of the repository.
const ROOTS: [&str; 7] = ["components/", "infra/", "tests/", "wit/", "spin.toml", "deny.toml", ".ci/"];
/// How a guide calls xtask: here, and where it is installed.
const CALLS: [&str; 2] = ["cargo xtask ", "renttracker-xtask "];

/// Every guide of the repository, by its path.
fn guides() -> Vec<(PathBuf, String)> {
    fn find(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            match path.is_dir() {
                true if name == "target" || name.starts_with('.') => {}
                true => find(&path, found),
                false if name.ends_with(".md") => found.push(path),
                false => {}
            }
        }
    }
    let mut paths = Vec::new();
    find(&stack::repository_root(), &mut paths);
    assert!(paths.iter().any(|path| path.ends_with("infra/deploy/README.md")), "{paths:?}");
    paths.into_iter().map(|path| (path.clone(), read(&path).expect("text"))).collect()
}

/// Every file that a clone has, and every folder that holds one, by its path. A folder of the working tree that is empty or
/// ignored is in no clone.
fn in_a_clone() -> HashSet<PathBuf> {
    let root = stack::repository_root();
    let listed = std::process::Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .expect("git");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let files = String::from_utf8(listed.stdout).expect("paths in UTF-8");
    let files = files.split_terminator('\0').map(|file| root.join(file)).filter(|file| file.exists());
    files.flat_map(|file| file.ancestors().map(Path::to_owned).collect::<Vec<_>>()).collect()
}

/// `folder/path`, without `.` and `..`.
fn join(folder: &Path, path: &str) -> PathBuf {
    let mut joined = folder.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(joined.pop()),
            Component::CurDir => {}
            part => joined.push(part),
        }
    }
    joined
}

/// The words behind each call of xtask in shell commands, up to where the command ends.
fn calls(commands: &str) -> Vec<Vec<String>> {
    let commands = commands.replace("\\\n", " ");
    let mut calls = Vec::new();
    for line in commands.lines() {
        for call in CALLS {
            for (start, _) in line.match_indices(call) {
                let mut words = Vec::new();
                for word in line[start + call.len()..].split_whitespace() {
                    if ["#", "&&", "&", "|", ";", ">", "\\"].contains(&word) || word.starts_with("2>") {
                        break;
                    }
                    let ends = word.ends_with([')', ';']) || word.contains(")\"");
                    let word = word.split([')', ';', '"', '\'']).find(|part| !part.is_empty()).unwrap_or_default();
                    // One of several values is as good as another.
                    words.push(word.split('|').next().unwrap_or_default().to_owned());
                    if ends {
                        break;
                    }
                }
                calls.push(words);
            }
        }
    }
    calls
}

/// xtask's commands; what may come from the environment need not be typed.
fn xtask() -> Command {
    fn from_environment(command: Command) -> Command {
        let is_given = |arg: clap::Arg| if arg.get_env().is_some() { arg.required(false) } else { arg };
        command.mut_args(is_given).mut_subcommands(from_environment)
    }
    from_environment(crate::Arguments::command())
}

fn parse(words: &[String]) -> Result<(), String> {
    let words = std::iter::once("xtask").chain(words.iter().map(String::as_str));
    xtask().try_get_matches_from(words).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_command_in_a_block_is_one_that_xtask_takes() {
    let mut count = 0;
    for (path, text) in guides() {
        for call in blocks(&text).iter().flat_map(|block| calls(&block.text)) {
            parse(&call).unwrap_or_else(|error| panic!("{}: cargo xtask {}\n{error}", path.display(), call.join(" ")));
            count += 1;
        }
    }
    assert!(count > 15, "only {count} commands were found");
}

#[test]
fn every_command_in_a_sentence_exists() {
    for (path, text) in guides() {
        let spans = text.split('`').skip(1).step_by(2);
        for span in spans.filter_map(|span| span.strip_prefix("cargo xtask ")) {
            let mut command = xtask();
            for word in span.split_whitespace() {
                if !command.has_subcommands() || word == "--help" {
                    break;
                }
                let found = command.find_subcommand(word).cloned();
                command = found.unwrap_or_else(|| panic!("{}: `cargo xtask {span}`", path.display()));
            }
        }
    }
}

#[test]
fn every_file_that_a_guide_names_is_there() {
    let root = stack::repository_root();
    let there = in_a_clone();
    let (mut count, mut missing) = (0, Vec::new());
    for (path, text) in guides() {
        let folder = path.parent().expect("a folder");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains(':') && !link.starts_with('#')) {
            let file = join(folder, link.split('#').next().unwrap_or_default());
            if !there.contains(&file) {
                missing.push(format!("{} links to {link}", path.display()));
            }
            count += 1;
        }
        let words = text.split(|c: char| c.is_whitespace() || "`'\"()[]{},:;=|#".contains(c));
        for word in words.filter(|word| ROOTS.iter().any(|root| word.starts_with(root))) {
            // From the root, or from the guide's own folder.
            let is_there = [&root, folder].iter().any(|from| there.contains(&join(from, known(word))));
            if !is_there {
                missing.push(format!("{} names {word}", path.display()));
            }
            count += 1;
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(count > 100, "only {count} files were found");
}

/// What of a path is certain: up to the folder where a pattern or a variable begins.
fn known(word: &str) -> &str {
    let word = word.trim_end_matches(['.', '/']);
    match word.find(['*', '$', '<', '…', '?']) {
        Some(end) => word[..end].rfind('/').map_or("", |slash| &word[..slash]),
        None => word,
    }
}

#[test]
fn what_a_guide_gets_wrong_is_noticed() {
    let check = |commands: &str, expected: bool| {
        let calls = calls(commands);
        assert_eq!(calls.len(), 1, "{commands}");
        assert_eq!(parse(&calls[0]).is_ok(), expected, "{commands}: {calls:?}");
    };
    check("cargo xtask deploy check --target one-machine|akamai --env FILE   # why", true);
    check("cargo xtask deploy chek --target one-machine --env FILE", false);
    check("curl -H \"Authorization: Bearer $(cargo xtask token --tenant demo-alice)\" url", true);
    check("cargo xtask token --tenent demo-alice", false);
    check("cargo xtask load --base-url https://h --rate 500 & load=$!", true);
    check("cargo xtask load --rate 500", false);
    check("renttracker-xtask redis backup --folder /a --keep 7 && true", true);
    check("cargo xtask redis backup --keep 7", false);
    assert_eq!(known("infra/deploy/one-machine/$unit.d.conf"), "infra/deploy/one-machine");
    assert_eq!(known("infra/redis/redis.conf."), "infra/redis/redis.conf");
}

#[test]
fn a_block_is_found_by_its_chapter_and_its_first_line() {
    let markdown =
        "## One\n```sh\n# back: it\none\n```\ntext\n## Two\n```toml\n# back: it\n```\n```sh\n# back: it\ntwo\n```\n";
    let found: Vec<(String, String)> = blocks(markdown).into_iter().map(|block| (block.chapter, block.text)).collect();
    assert_eq!(found, [("One".into(), "# back: it\none".into()), ("Two".into(), "# back: it\ntwo".into())]);
    assert!(block("One machine", "back: the application").is_ok());
    assert!(block("Kubernetes", "a release: its files").is_err());
}
