import Testing

/// What is tested on the built binary and real services, one after the other; `KillTests` alone runs beside it.
@Suite("End to end", .serialized)
enum EndToEnd {}
