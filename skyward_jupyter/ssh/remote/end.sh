# Ends a command with its whole group. A number may have been given again after the command had ended: its leader, while
# there is one, must be ours. Of a command that had no time to report its number, the token in its environment tells it.

ours() {
  kill -0 "-$1" 2>/dev/null || return 1
  [ -r "/proc/$1/environ" ] || return 0
  found=$(tr '\0' ' ' <"/proc/$1/environ" 2>/dev/null)
  case $found in '' | *"SKYWARD_RUN=$2"*) return 0 ;; *) return 1 ;; esac
}

# Arguments: the number of the group, which may be empty, and the token.
end_group() {
  group=$1
  if [ -z "$group" ]; then
    one=$(grep -ls "SKYWARD_RUN=$2" /proc/[0-9]*/environ | head -n 1)
    [ -n "$one" ] || return 0
    group=$(sed 's/.*) //' "${one%environ}stat" | cut -d ' ' -f 3)
  fi
  ours "$group" "$2" || return 0
  kill -TERM "-$group" 2>/dev/null
  left=20
  while ours "$group" "$2" && [ $left -gt 0 ]; do sleep 0.1 2>/dev/null || sleep 1; left=$((left - 1)); done
  ours "$group" "$2" && kill -KILL "-$group" 2>/dev/null
  return 0
}
