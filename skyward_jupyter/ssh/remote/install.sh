# Makes an image, one step after the other. A second one that makes the same image waits for the first, and finds it made.
# Whatever a cut left behind is no obstacle: an image without its last file, `complete`, is made from the start, out of
# what uv has in its cache.

install() {
  lock
  if ! is_complete; then
    rm -f "$IMAGE/complete"
    mkdir -p "$IMAGE" || fail "$IMAGE cannot be made"
    [ -z "$APT" ] || install_apt
    trust
    get_uv
    get_python
    make_venv
    install_packages
    check
    date >"$IMAGE/complete.new" && mv -f "$IMAGE/complete.new" "$IMAGE/complete" || fail "$IMAGE/complete cannot be written"
    prune
  fi
  exec 9>&-
  settle ""
}

lock() {
  if ! command -v flock >/dev/null 2>&1; then
    begin wait
    fail "flock is not there, which keeps two pools from installing the same at once: install the package util-linux"
  fi
  exec 9>"$IMAGE.lock"
  flock -n 9 && return
  begin wait
  say command "waiting for another pool that installs the same image"
  flock 9
  end
}

install_apt() {
  begin apt
  command -v apt-get >/dev/null 2>&1 ||
    fail "the image wants apt packages ($APT), and apt-get is not there: use a Debian or Ubuntu, or install them by other means and leave them out of apt"
  missing=
  for package in $APT; do
    case $package in
    *=*) missing="$missing $package" ;;
    *) is_installed "$package" || missing="$missing $package" ;;
    esac
  done
  if [ -n "$missing" ]; then
    may_be_root ||
      fail "apt packages ($APT) need root: log in as root, allow sudo without a password, or have them installed"
    apt_install $missing
  fi
  end
}

is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

# The lists are fetched only when what they say is not enough: that takes longer than everything else here.
apt_install() {
  try as_root apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" && return
  run as_root apt-get update -o DPkg::Lock::Timeout=300
  run as_root apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

get_uv() {
  find_uv && return
  begin uv
  into=$(mktemp -d "$ROOT/uv.XXXXXX") || fail "nothing can be written to $ROOT"
  for python in python3 "python$MINOR" python; do
    "$python" -m pip --version >/dev/null 2>&1 </dev/null || continue
    if try within 300 "$python" -m pip install --quiet --no-deps --only-binary=:all: --target "$into" uv; then
      mv -f "$into/bin/uv" "$ROOT/bin/uv"
      break
    fi
  done
  rm -rf "$into"
  if ! find_uv; then
    say needs uv
    exit 42
  fi
  end
}

get_python() {
  begin python
  if ! find_python; then
    try brief_uv python install "$WANT" && PYTHON=$("$UV" python find --no-project "$WANT" 2>/dev/null </dev/null)
    [ -n "$PYTHON" ] && judge_python "$PYTHON" >/dev/null || apt_python ||
      fail "there is no Python $WANT, which functions of this kernel need${LACKING:+ ($LACKING)}: install it there, or start a kernel of the Python that is there"
  fi
  say line "$PYTHON"
  end
}

# Not for long: where the archive of Pythons cannot be reached there is another way.
brief_uv() { UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-20}" UV_HTTP_RETRIES="${UV_HTTP_RETRIES:-1}" "$UV" "$@"; }

apt_python() {
  command -v apt-get >/dev/null 2>&1 && may_be_root || return 1
  apt-cache show "python$MINOR" >/dev/null 2>&1 </dev/null ||
    { try as_root apt-get update && apt-cache show "python$MINOR" >/dev/null 2>&1 </dev/null; } || return 1
  try as_root apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "python$MINOR" && find_python
}

make_venv() {
  begin venv
  rm -rf "$IMAGE/venv"
  run "$UV" venv --no-project --python "$PYTHON" "$IMAGE/venv"
  end
}

# What is asked for in one version only is the same from uv's cache as from the index, and there in a tenth of the time.
install_packages() {
  begin packages
  { printf '%s\n' "$WHEEL" && requirements; } >"$IMAGE/requirements.txt" || fail "$IMAGE/requirements.txt cannot be written"
  set -- pip install --python "$IMAGE/venv/bin/python" -r "$IMAGE/requirements.txt"
  if [ -n "$EXACT" ] && "$UV" "$@" --offline --quiet >/dev/null 2>&1 </dev/null; then
    say line "all of it was in the cache of uv"
  else
    run "$UV" "$@"
  fi
  end
}

# Whether an agent could start; it leaves its modules compiled, so that the first one starts as fast as the next.
check() {
  begin check
  run "$IMAGE/venv/bin/python" -I -c "import $AGENT"
  end
}

# Images that no pool here has, and that none has used for a month.
prune() {
  find "$ROOT/images" -mindepth 2 -maxdepth 2 -name complete -mtime +30 2>/dev/null | while IFS= read -r old; do
    old=${old%/complete}
    cat "$ROOT"/pools/*/image 2>/dev/null | grep -qx "${old##*/}" && continue
    flock -n "$old.lock" sh -c 'rm -f "$1/complete"; rm -rf "$1"' sh "$old" 9>&- </dev/null
  done
  find "$ROOT/wheels" -type f -mtime +30 -exec rm -f {} + 2>/dev/null
  find "$ROOT/bin" "$ROOT/wheels" -name '.*.part' -mtime +1 -exec rm -f {} + 2>/dev/null
  find "$ROOT" -maxdepth 1 -name 'uv.*' -mtime +1 -exec rm -rf {} + 2>/dev/null
}
