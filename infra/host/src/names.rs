//! The names that a manifest may give. Spin's rules.

/// Why `name` is not a variable's name, if it is not. Rule and text are Spin's: a component can see them.
pub fn check_variable(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() {
        Err("must not be empty".into())
    } else if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
        Err(format!(
            "invalid character {bad:?}. Variable names may contain only lower-case letters, numbers, and underscores."
        ))
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Err("must start with a lowercase ASCII letter".into())
    } else if name.ends_with('_') {
        Err("must end with a lowercase ASCII letter or digit".into())
    } else if name.contains("__") {
        Err("must not contain multiple consecutive underscores".into())
    } else {
        Ok(())
    }
}

/// Whether `id` can name a component: words of letters and digits, joined by single hyphens.
pub fn is_component_id(id: &str) -> bool {
    id.split('-').all(|word| {
        word.starts_with(|first: char| first.is_ascii_alphabetic()) && word.chars().all(|c| c.is_ascii_alphanumeric())
    })
}
