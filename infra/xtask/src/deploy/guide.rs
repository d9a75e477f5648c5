//! What `infra/deploy/README.md` and the other guides tell people to type.

use std::path::Path;

use anyhow::{Context, Result};

/// A fenced block of shell commands.
pub struct Block {
    /// The second-level heading that it stands under.
    pub chapter: String,
    /// Its lines.
    pub text: String,
}

/// The blocks of a guide, in their order.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let (mut blocks, mut chapter, mut open) = (Vec::new(), String::new(), None::<Vec<&str>>);
    for line in markdown.lines() {
        match &mut open {
            None if line == "```sh" => open = Some(Vec::new()),
            None => chapter = line.strip_prefix("## ").map_or(chapter, str::to_owned),
            Some(lines) if line == "```" => {
                blocks.push(Block { chapter: chapter.clone(), text: lines.join("\n") });
                open = None;
            }
            Some(lines) => lines.push(line),
        }
    }
    blocks
}

/// The block of this chapter of `infra/deploy/README.md` that begins with this comment.
pub fn block(chapter: &str, comment: &str) -> Result<String> {
    let path = stack::repository_root().join("infra/deploy/README.md");
    let text = read(&path)?;
    let is_it = |block: &Block| block.chapter == chapter && block.text.starts_with(&format!("# {comment}"));
    let block = blocks(&text).into_iter().find(is_it);
    Ok(block.with_context(|| format!("{} has no block \"# {comment}\" under {chapter}", path.display()))?.text)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests;
