# The first thing a machine is asked, and the only one where the image is complete: what it is, and what it has.

look() {
  begin look
  mkdir -p "$ROOT/images" "$ROOT/pools" "$ROOT/wheels" "$ROOT/bin" "$ROOT/files" ||
    fail "$ROOT cannot be made: log in as a user who may write there, or give another directory"
  say root "$ROOT"
  [ -z "$PATIENCE" ] || guard
  say system "$(uname -s) $(uname -m)"
  # Drivers take their time; the rest is looked at meanwhile.
  tell_gpus &
  if is_complete; then
    touch "$IMAGE/complete"
    wait
    end
    settle ""
    return
  fi
  find_uv && say uv "$UV"
  [ -f "$WHEEL" ] && say wheel "$WHEEL"
  wait
  end
}

tell_gpus() {
  command -v nvidia-smi >/dev/null 2>&1 || return
  within 30 $GPUS 2>/dev/null </dev/null | while IFS= read -r gpu; do say gpu "$gpu"; done
}
