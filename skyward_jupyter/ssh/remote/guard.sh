# Runs on a machine by itself while a pool has no template there yet. When whoever prepares the machine was not heard of for
# too long, it ends what still runs of the preparation and removes the pool's directory. Once there is a template, or no
# directory any more, it is over. Arguments: the directory, seconds, and what this guard is called: the last one counts.

# The first line of a file; empty where there is none.
line() {
  said=
  { read -r said <"$1"; } 2>/dev/null
}

# Seconds since the machine was started: its clock may be set meanwhile.
moment() {
  line /proc/uptime
  now=${said%%.*}
}

heard=
moment
since=$now
while sleep 1; do
  [ -d "$1" ] && [ ! -S "$1/door" ] || exit 0
  line "$1/guard"
  [ "$said" = "$3" ] || exit 0
  moment
  line "$1/heard"
  [ "$said" = "$heard" ] || since=$now
  heard=$said
  [ $((now - since)) -ge "$2" ] || continue
  { read -r group token <"$1/running"; } 2>/dev/null && end_group "$group" "$token"
  rm -rf "$1"
  exit 0
done
