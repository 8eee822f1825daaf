# What both parts of the preparation use. Everything here runs in a plain POSIX shell, and says what it does in lines
# that begin with $MARK; other lines are what the tools wrote.

say() { printf '%s %s\n' "$MARK" "$*"; }

begin() { say begin "$1"; }

end() { say end; }

# A sentence for the user, and the end. What the user can do about it is part of the sentence.
fail() {
  say free "$(free_kib)"
  say why "$*"
  exit 41
}

# Runs what makes up a step; when it fails, so does the preparation. It has the lock of the image, too: should this shell
# be killed, nobody begins anew before it has ended.
run() {
  say command "$*"
  "$@" </dev/null 2>&1 || {
    status=$?
    say free "$(free_kib)"
    say status "$status"
    exit 40
  }
}

# The same for what there is another way for.
try() {
  say command "$*"
  "$@" </dev/null 2>&1
}

free_kib() { df -Pk "$ROOT" 2>/dev/null | awk 'NR == 2 { print $4 }'; }

# Bounded where the machine has `timeout`: drivers and far indexes can hang.
within() {
  seconds=$1
  shift
  if command -v timeout >/dev/null 2>&1; then timeout "$seconds" "$@"; else "$@"; fi
}

# What the system gets is for all its users, and services that it starts keep no lock.
as_root() (
  umask 022
  exec 9>&-
  if [ "$(id -u)" = 0 ]; then env DEBIAN_FRONTEND=noninteractive "$@"; else sudo -n env DEBIAN_FRONTEND=noninteractive "$@"; fi
)

may_be_root() { [ "$(id -u)" = 0 ] || sudo -n true >/dev/null 2>&1; }

is_complete() {
  [ -f "$IMAGE/complete" ] &&
    "$IMAGE/venv/bin/python" -I -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$MINOR" \
      >/dev/null 2>&1 </dev/null
}

# -- its end when nobody is there any more -----------------------------------------------------------------------------

# Has the pool's directory removed, and what runs here ended, when this machine is forgotten before there is a template.
# The guard belongs to no command, and is no child of this shell, which waits for those.
guard() {
  mkdir -p "$POOL" && guard_program >"$POOL/guard.sh" && echo "$MARK.$$" >"$POOL/guard" ||
    fail "the pool's files cannot be written to $POOL"
  SETSID=$(command -v setsid) || SETSID=
  (unset SKYWARD_RUN && exec $SETSID sh "$POOL/guard.sh" "$POOL" "$PATIENCE" "$MARK.$$" </dev/null >/dev/null 2>&1 &)
  known
}

# Notes how what runs now can be ended.
known() {
  [ -f "$POOL/guard" ] && read -r stat 2>/dev/null <"/proc/$$/stat" || return 0
  stat=${stat##*) }
  stat=${stat#* * }
  echo "${stat%% *} $SKYWARD_RUN" >"$POOL/running"
}

# -- certificates ------------------------------------------------------------------------------------------------------

# Whom this machine trusts, its own store says: also whoever signs what a company's proxy lets through. Where there is no
# store, uv has one of its own. What was said otherwise, there or in the image's environment, goes first.
trust() {
  [ -z "$SSL_CERT_FILE" ] || [ -r "$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
  has_store || return 0
  export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}" UV_NATIVE_TLS="${UV_NATIVE_TLS:-1}"
  [ -z "$STORE" ] || export PIP_CERT="${PIP_CERT:-$STORE}"
}

# Where OpenSSL looks, too, on the systems that there are; $STORE is it where it is one file.
has_store() {
  for STORE in "$SSL_CERT_FILE" /etc/ssl/certs/ca-certificates.crt /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem \
    /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem /etc/pki/tls/cert.pem; do
    [ -s "$STORE" ] && return 0
  done
  STORE=
  for found in "${SSL_CERT_DIR:-/etc/ssl/certs}"/*.0; do [ -s "$found" ] && return 0; done
  return 1
}

# -- Python and uv -----------------------------------------------------------------------------------------------------

find_uv() {
  for uv in "$(command -v uv)" "$ROOT/bin/uv" "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv"; do
    [ -x "$uv" ] && "$uv" --version >/dev/null 2>&1 </dev/null && UV=$uv && return 0
  done
  return 1
}

# Prints where it is and which, and what it lacks; distributions take modules out of the standard library.
judge_python() {
  "$1" -I -c '
import sys
lacks = []
for name in sys.argv[2].split():
    try:
        __import__(name)
    except ImportError:
        lacks.append(name)
import sysconfig
if sys.implementation.name != "cpython":
    lacks.append("CPython")
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    lacks.append("the global interpreter lock")
have = "%d.%d.%d" % sys.version_info[:3]
print("%s %s %s" % (have, sys.executable, ", ".join(lacks)))
sys.exit(bool(lacks) or not (have + ".").startswith(sys.argv[1] + "."))
' "$WANT" "$MODULES" 2>/dev/null </dev/null
}

find_python() {
  LACKING=
  for python in "python$MINOR" "/usr/bin/python$MINOR" "/usr/local/bin/python$MINOR" python3 python \
    "$HOME/.pyenv/versions/$MINOR".*/bin/python "$HOME/.local/share/uv/python/cpython-$MINOR."*/bin/python3 \
    "$HOME"/*conda3/bin/python "$HOME/miniforge3/bin/python" /opt/conda/bin/python; do
    command -v "$python" >/dev/null 2>&1 || continue
    if judged=$(judge_python "$python"); then
      rest=${judged#* }
      PYTHON=${rest% }
      return 0
    fi
    case $judged in
    "$WANT."* | "$WANT "*)
      judged=${judged#* }
      LACKING="${judged%% *} has no ${judged#* }"
      ;;
    esac
  done
  return 1
}

# -- what belongs to one pool ------------------------------------------------------------------------------------------

# So that `!pip install` and `!python` in a cell mean the image, and `!uv pip install` finds what this has found.
activation() {
  venv=$(printf '%s' "$IMAGE/venv" | sed "s/'/'\\\\''/g")
  printf "export VIRTUAL_ENV='%s'\nexport PATH='%s/bin':\"\$PATH\"\n" "$venv" "$venv"
  has_store || return 0
  for name in UV_SYSTEM_CERTS UV_NATIVE_TLS; do printf 'export %s="${%s:-1}"\n' "$name" "$name"; done
}

settle() {
  begin files
  mkdir -p "$POOL/work" && printf '%s\n' "${IMAGE##*/}" >"$POOL/image" &&
    { environment && activation; } >"$POOL/env.$$" && mv -f "$POOL/env.$$" "$POOL/env" ||
    fail "the pool's files cannot be written to $POOL"
  if [ -n "$INCLUDES" ] || [ -f "$POOL/placed" ]; then
    manifest >"$POOL/manifest.$$" && mv -f "$POOL/manifest.$$" "$POOL/manifest" || fail "the list of files cannot be written to $POOL"
    say command "placing the files that the image includes"
    sync_program | "$IMAGE/venv/bin/python" -I - "$ROOT/files" "$POOL" "$MARK" "$1" 2>&1 || {
      say free "$(free_kib)"
      say status 1
      exit 40
    }
  fi
  end
  say ready "$IMAGE/venv/bin/python"
}
