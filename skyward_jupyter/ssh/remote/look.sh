# The first thing a machine is asked, and the only one where the image is complete: what it is, and what it has.

look() {
  begin look
  mkdir -p "$ROOT/images" "$ROOT/pools" "$ROOT/wheels" "$ROOT/bin" "$ROOT/files" ||
    fail "$ROOT cannot be made: log in as a user who may write there, or give another directory"
  say root "$ROOT"
  say system "$(uname -s) $(uname -m)"
  gpus=$(mktemp "$ROOT/gpus.XXXXXX") || fail "nothing can be written to $ROOT"
  { command -v nvidia-smi >/dev/null 2>&1 && within 30 $GPUS >"$gpus" 2>/dev/null </dev/null; } &
  if is_complete; then
    touch "$IMAGE/complete"
    tell_gpus
    end
    settle ""
    return
  fi
  find_uv && say uv "$UV"
  [ -f "$WHEEL" ] && say wheel "$WHEEL"
  tell_gpus
  end
}

tell_gpus() {
  wait
  while IFS= read -r gpu; do say gpu "$gpu"; done <"$gpus"
  rm -f "$gpus"
}
