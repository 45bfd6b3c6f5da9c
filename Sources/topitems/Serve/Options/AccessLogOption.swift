import ArgumentParser

/// What `--access-log-format` takes.
enum AccessLogOption: String, ExpressibleByArgument, CaseIterable {
  case off
  case common
  case json
}
