# shellcheck shell=bash
# Processes that outlive a script. One is known by its id, the tick at which it started and the boot it belongs
# to: an id alone is used again, and a signal to a stranger would be unforgivable.

# The state letter and the start in ticks since boot: fields 3 and 22 of proc(5)'s stat. The command's name
# before them may hold blanks and parentheses, so counting begins behind the last ")".
process_start() { # PID
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -r -a fields <<<"${stat##*) }"
  case ${fields[0]} in Z | X) return 1 ;; esac # dead, only not yet collected
  printf '%s' "${fields[19]}"
}

remember_process() { # FILE PID
  local start
  start=$(process_start "$2") || return 1
  printf '%s %s %s\n' "$2" "$start" "$(cat /proc/sys/kernel/random/boot_id)" >"$1"
}

# Prints the id when exactly that process still runs.
process_id() { # FILE
  local pid start boot
  read -r pid start boot 2>/dev/null <"$1" || return 1
  [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 1
  [ "$(process_start "$pid")" = "$start" ] || return 1
  printf '%s' "$pid"
}

# Sends the signals one after the other, each with its time in seconds, until the process is gone.
end_process() { # FILE LABEL SIGNAL SECONDS [SIGNAL SECONDS]…
  local file=$1 label=$2 pid
  shift 2
  while [ $# -ge 2 ]; do
    pid=$(process_id "$file") || break
    kill -s "$1" "$pid" 2>/dev/null || true
    wait_until "$2" process_gone "$file" || say "$label (process $pid) did not end within $2 s of SIG$1"
    shift 2
  done
  process_gone "$file" || return 1
  rm -f "$file"
}

process_gone() { ! process_id "$1" >/dev/null; } # FILE

# Repeats a command every 50 ms until it succeeds or the time is over.
wait_until() { # SECONDS COMMAND…
  local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
  shift
  until "$@"; do
    [ "${EPOCHREALTIME/[.,]/}" -lt "$deadline" ] || return 1
    sleep 0.05
  done
}

# Is it this process that listens on 127.0.0.1:PORT, and not one that took the port before it? proc(5): the
# socket's inode stands in net/tcp (state 0A: listening) and among the process's descriptors.
process_listens() { # PID PORT
  local inode descriptor
  inode=$(awk -v address="$(printf '0100007F:%04X' "$2")" '$2 == address && $4 == "0A" { print $10 }' /proc/net/tcp)
  [ -n "$inode" ] || return 1
  for descriptor in "/proc/$1/fd/"*; do
    [ "$(readlink "$descriptor" 2>/dev/null)" != "socket:[$inode]" ] || return 0
  done
  return 1
}

# A port that is not in use now, below the range from which outgoing connections take theirs: a server that is
# restarted finds it free again, and a client that keeps trying cannot end up connected to itself.
free_port() {
  local port
  for port in $(shuf -i 20000-31999 -n 100); do
    grep -qsi "$(printf ':%04X ' "$port")" /proc/net/tcp /proc/net/tcp6 || {
      printf '%s' "$port"
      return
    }
  done
  fail "no free port found between 20000 and 31999"
}

# Runs a long command in a session of its own and waits for it, so that a signal to this script is acted on at
# once: the script's traps end the whole session, whatever process groups the command makes in it. A shell has its
# background commands ignore SIGINT; env gives it back its meaning.
run() { # COMMAND…
  local status=0
  setsid env --default-signal=INT,QUIT -- "$@" 8>&- 9>&- & # the locks are this script's
  running_session=$!
  wait "$running_session" || status=$?
  running_session=
  return "$status"
}

# For the traps: ends what `run` was waiting for.
end_run() {
  [ -n "${running_session-}" ] || return 0
  local signal
  for signal in INT TERM KILL; do # the leader may need the first to signal the others
    # shellcheck disable=SC2046 # one word per process
    kill -s "$signal" $(session_members "$running_session") 2>/dev/null || true
    ! wait_until 10 session_is_empty "$running_session" || break
  done
  running_session=
}

session_is_empty() { [ -z "$(session_members "$1")" ]; } # SESSION

# The ids of a session's living processes (proc(5): field 3 is the state, field 6 the session).
session_members() { # SESSION
  local stat fields
  for stat in /proc/[0-9]*/stat; do
    stat=$(cat "$stat" 2>/dev/null) || continue
    read -r -a fields <<<"${stat##*) }"
    case ${fields[0]} in Z | X) continue ;; esac
    [ "${fields[3]}" != "$1" ] || printf '%s ' "${stat%% *}"
  done
}

# Has the calling script end in order on every signal that a person or a supervisor sends; `finish` is the
# script's own.
finish_on_signals() {
  trap finish EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# A script that another one started in its background has SIGINT ignored, which bash cannot undo: start over with it.
heed_interrupts() { # SCRIPT ARGUMENT…
  local ignored
  ignored=$(awk '/^SigIgn:/ { print $2 }' "/proc/$$/status")
  [ $((0x$ignored & 2)) -eq 0 ] || exec env --default-signal=INT -- "$@"
}
