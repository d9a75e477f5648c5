
# `cargo xtask` is completed as `xtask` is, beside what fish knows of cargo.
complete -c cargo -n '__fish_seen_subcommand_from xtask' -f -a '(complete -C (commandline -cp | string replace -r "^\s*cargo\s+" ""))'
