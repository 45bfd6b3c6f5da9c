# shellcheck shell=bash
# A private PostgreSQL cluster in FOLDER/postgres, which belongs to the account it runs under.
#   FOLDER/pgpass            the password, readable by us alone; clients are pointed to it by `passfile`, so
#                            that the password is in no URL, argument list, environment or log
#   FOLDER/postgres.process  see process.sh

# The newest installed server that is new enough.
postgres_programs() {
  local programs version
  for programs in $(compgen -G '/usr/lib/postgresql/*/bin' | sort -Vr) "$(pg_config --bindir 2>/dev/null)"; do
    version=$("$programs/postgres" --version 2>/dev/null | sed -E 's/[^0-9]*([0-9]+).*/\1/') || continue
    if [ "${version:-0}" -ge 15 ]; then
      printf '%s' "$programs"
      return
    fi
  done
  return 1
}

create_postgres() { # FOLDER
  local folder=$1 password programs
  programs=$(postgres_programs) || fail "no PostgreSQL server of version 15 or newer is installed"
  password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && printf '127.0.0.1:*:*:topitems:%s\n' "$password" >"$folder/pgpass")
  if [ "$(id -u)" -eq 0 ]; then
    install -d -m 0700 -o postgres -g postgres "$folder/postgres"
  else
    install -d -m 0700 "$folder/postgres"
  fi
  # initdb reads the password from a file only; the folder is closed to others before the file is there.
  as_postgres tee "$folder/postgres/password" <<<"$password" >/dev/null
  as_postgres "$programs/initdb" --pgdata="$folder/postgres/data" --username=topitems \
    --pwfile="$folder/postgres/password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 \
    --no-instructions >"$folder/initdb.log" 2>&1 || {
    cat "$folder/initdb.log" >&2
    fail "initdb failed"
  }
  as_postgres rm "$folder/postgres/password"
  as_postgres mkdir -m 0700 "$folder/postgres/socket"
  # The durable settings stay on: what is tested here is what the product promises.
  as_postgres tee -a "$folder/postgres/data/postgresql.conf" >/dev/null <<'CONF'

listen_addresses = '127.0.0.1'
unix_socket_directories = '../socket'   # relative to the data folder: a long checkout path does no harm
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
fsync = on
synchronous_commit = on
log_line_prefix = '%m [%p] %q%a '
include_if_exists = 'port.conf'
CONF
}

# Starts the server on a port and waits until it answers.
start_postgres() { # FOLDER PORT
  local folder=$1 port=$2 programs pid
  programs=$(postgres_programs) || fail "no PostgreSQL server of version 15 or newer is installed"
  as_postgres tee "$folder/postgres/data/port.conf" <<<"port = $port" >/dev/null
  (
    cd / # the account may not enter the folder we stand in
    as_postgres "$programs/pg_ctl" start --pgdata="$folder/postgres/data" --silent --wait --timeout=60 \
      --log="$folder/postgres/postgres.log" </dev/null >&2 8>&- 9>&-
  ) || return 1
  pid=$(as_postgres head -n 1 "$folder/postgres/data/postmaster.pid")
  remember_process "$folder/postgres.process" "$pid"
  printf '%s' "$port" >"$folder/postgres.port"
  wait_until 30 postgres_answers "$folder"
}

postgres_answers() { # FOLDER
  local pid
  pid=$(process_id "$1/postgres.process") || return 1
  process_listens "$pid" "$(cat "$1/postgres.port")" || return 1
  psql --no-psqlrc --quiet --tuples-only --dbname="$(postgres_url "$1" postgres)&connect_timeout=5" \
    --command='SELECT 1' </dev/null >/dev/null 2>&1
}

# A start that was interrupted may have left a server that is not recorded. It is ours if it works in our data
# folder, which is a server's current folder.
adopt_postgres() { # FOLDER
  local pid
  process_gone "$1/postgres.process" || return 0
  pid=$(as_postgres head -n 1 "$1/postgres/data/postmaster.pid" 2>/dev/null) || return 0
  [ "$(as_postgres readlink "/proc/$pid/cwd" 2>/dev/null)" = "$1/postgres/data" ] || return 0
  remember_process "$1/postgres.process" "$pid" || true
}

# "fast" first (open transactions are rolled back), then "immediate", which never waits (recovery at next start).
stop_postgres() { # FOLDER
  adopt_postgres "$1"
  end_process "$1/postgres.process" PostgreSQL INT 20 QUIT 10 KILL 5
}

postgres_url() { # FOLDER DATABASE
  printf 'postgresql://topitems@127.0.0.1:%s/%s?passfile=%s' "$(cat "$1/postgres.port")" "$2" \
    "$(printf '%s' "$1/pgpass" | percent_encode)"
}

# Everything but RFC 3986's unreserved characters and the slash, byte by byte.
percent_encode() {
  local byte
  od -An -v -tx1 -w1 | while read -r byte; do
    case $byte in
      2[d-f] | 3[0-9] | 4[1-9a-f] | 5[0-9a] | 5f | 6[1-9a-f] | 7[0-9a] | 7e) printf '%b' "\\x$byte" ;;
      *) printf '%%%s' "${byte^^}" ;;
    esac
  done
}
