import Glibc

/// SIGHUP for commands that have nothing to read again.
enum HangUpSignal {
  /// Ignores it where there is no terminal that could hang up: a supervisor or a log rotation that sends it to every
  /// process means no end. Where there is one, its end is also the command's, as with any other at a prompt.
  static func ignoreWithoutTerminal() {
    let terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
    if terminal >= 0 {
      close(terminal)
    } else {
      signal(SIGHUP, SIG_IGN)
    }
  }
}
