# shellcheck shell=bash
# What every script here starts with: where the checkout is, where a set of services lives, how we speak.
# Sourced, never run. Standard output belongs to the script's result; all talk goes to standard error.

set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck disable=SC2034 # used by the scripts that source this one
scripts=$checkout/deploy/dev
state=$checkout/.services

say() { printf 'topitems: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Names become folders and parts of paths: nothing but plain words.
require_plain_name() {
  [[ $1 =~ ^[a-z][a-z0-9-]{0,30}$ ]] || fail "'$1' is no name for a set of services (a-z, 0-9, -)"
}

# Runs a command as the account that PostgreSQL runs under: ourselves, or, as its server refuses to run as
# root, Debian's `postgres`. setpriv executes the command in place, without a session of its own.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid=postgres --regid="$(id -g postgres)" --init-groups -- env HOME=/ "$@"
  else
    "$@"
  fi
}

# The folder of a set of services, made on the first call. Where PostgreSQL's account cannot enter the checkout
# (a clone under /root), .services/NAME is a link to a folder of ours in the temporary folder.
make_folder() { # NAME
  local link=$state/$1 shelter
  if folder_is_reachable "$link"; then return; fi
  [ ! -L "$link" ] || rm "$link" # its target is gone
  mkdir -p "$link"
  chmod 0711 "$link"
  if folder_is_reachable "$link"; then return; fi

  rmdir "$link" || fail "$link is in the way: run 'make stop' first"
  shelter=${TMPDIR:-/tmp}/topitems-$(id -u)-$(printf '%s' "$checkout" | sha256sum | cut -c1-12)
  mkdir "$shelter" 2>/dev/null || true
  # The temporary folder is shared by all users: what has our name there must be ours, and no link elsewhere.
  if [ -L "$shelter" ] || [ "$(stat -c %u "$shelter" 2>/dev/null)" != "$(id -u)" ]; then
    fail "$shelter exists and is not ours: set TMPDIR to another folder"
  fi
  mkdir -p "$shelter/$1"
  chmod 0711 "$shelter" "$shelter/$1"
  ln -s "$shelter/$1" "$link"
  folder_is_reachable "$link" ||
    fail "the account 'postgres' can enter neither $state nor $shelter: set TMPDIR to a folder that all can enter"
}

folder_is_reachable() { as_postgres test -x "$(readlink -f "$1")/." 2>/dev/null; } # PATH

# The folder's real path (a link under /root cannot be followed by PostgreSQL's account).
folder_of() { readlink -f "$state/$1"; } # NAME

# One command at a time works on a set of services; the lock ends with the script, whichever way it ends.
# Whatever outlives the script must be started with `8>&- 9>&-`, or it would hold this lock or its caller's (8).
lock() { # NAME
  mkdir -p "$state"
  exec 9>>"$state/$1.lock"
  if ! flock --nonblock 9; then
    say "waiting for another command that works on the services '$1'"
    flock --timeout 600 9 || fail "it still does after ten minutes: giving up"
  fi
}
