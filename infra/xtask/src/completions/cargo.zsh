
# zsh's completion of cargo calls `_cargo-NAME` for a command that it does not know.
_cargo-xtask() { _xtask "$@" }
if [ "$funcstack[1]" = "_cargo-xtask" ]; then
    _xtask "$@"
fi
