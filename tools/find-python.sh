#!/bin/sh
# Print the first usable Python: 3.12 or newer, able to make a virtual environment.
#
# $PYTHON is tried first, then the names on PATH, then where version managers keep theirs. A candidate
# counts only if it runs: a version manager's shim may exist for a version that is switched off.
# Without one, says on stderr what was looked at and what to install, and exits with 1.

need='3.12'
seen=''

try() {
    [ -n "$1" ] || return 1
    path=$(command -v "$1" 2>/dev/null) || return 1
    found=$("$path" -c '
import sys
if sys.version_info < (3, 12):
    print("is Python %d.%d" % sys.version_info[:2])
else:
    try:
        import ensurepip, venv
        print("ok " + sys.executable)
    except ImportError as error:
        print("is Python %d.%d without %s" % (sys.version_info[0], sys.version_info[1], error.name))
' 2>/dev/null) || found='does not run'
    case $found in
        'ok '*) printf '%s\n' "${found#ok }"; exit 0 ;;
        *) seen="$seen
    $path $found" ;;
    esac
    return 1
}

for name in "${PYTHON:-}" python3.14 python3.13 python3.12 python3 python; do
    try "$name"
done

for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin "$HOME"/.local/share/uv/python/cpython-3.1[2-9]*/bin \
    /opt/homebrew/bin /usr/local/bin /opt/python/cp31[2-9]*/bin; do
    [ -d "$folder" ] || continue
    for name in python3.14 python3.13 python3.12 python3; do
        [ -x "$folder/$name" ] && try "$folder/$name"
    done
done

cat >&2 <<MESSAGE
Skyward needs Python $need or newer, with its venv module, and found none.
What was looked at:${seen:-
    nothing: no python on PATH}
Install one, for example:
    Debian, Ubuntu   apt install python3.12 python3.12-venv
    Fedora           dnf install python3.12
    macOS            brew install python@3.12
    anywhere         pyenv install 3.12    or    uv python install 3.12
or name one yourself: make PYTHON=path/to/python3.12 ...
MESSAGE
exit 1
