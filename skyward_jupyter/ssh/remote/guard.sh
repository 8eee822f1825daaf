# Runs on a machine by itself while a pool has no template there yet. When whoever prepares the machine was not heard of for
# too long, it ends what still runs of the preparation and removes the pool's directory. Once there is a template, or no
# directory any more, it is over. Arguments: the directory, seconds, and what this guard is called: the last one counts.

heard= quiet=0
while sleep 1; do
  [ -d "$1" ] && [ ! -S "$1/door" ] && [ "$(cat "$1/guard" 2>/dev/null)" = "$3" ] || exit 0
  now=$(cat "$1/heard" 2>/dev/null)
  if [ "$now" = "$heard" ]; then quiet=$((quiet + 1)); else heard=$now quiet=0; fi
  [ "$quiet" -lt "$2" ] && continue
  read -r group token <"$1/running" && end_group "$group" "$token"
  rm -rf "$1"
  exit 0
done
