
# `cargo xtask` is completed as `xtask` is. Every other command of cargo is left to what completes cargo, if that was loaded before.
_cargo_xtask() {
    if [[ ${COMP_WORDS[1]-} == xtask && $COMP_CWORD -gt 1 ]]; then
        # It passes over what stands before the word that is its first argument.
        _xtask xtask "$2" "$3"
    elif declare -F _cargo > /dev/null; then
        _cargo "$@"
    fi
}
complete -o bashdefault -o default -F _cargo_xtask cargo
