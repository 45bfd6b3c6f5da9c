// swift-tools-version:6.2
import PackageDescription

/// Every target is compiled alike; `make` sets the variable, so that a warning never lands, while a newer
/// compiler's new warning does not stop a build by hand.
let warningsAsErrors = Context.environment["TOPITEMS_WARNINGS_AS_ERRORS"] == "1"
let swift: [SwiftSetting] =
  [.enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility")]
  + (warningsAsErrors ? [.unsafeFlags(["-warnings-as-errors"])] : [])

/// The modules that each byte of a request passes, or each event. A debug build, which the tests and the sanitizers
/// run, checks each access to an object's property for overlap at run time; that was 14 % of a request's instructions.
let hotPath = swift + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let package = Package(
  name: "topitems",
  products: [
    .executable(name: "topitems", targets: ["topitems"]),
    .library(name: "HTTPServer", targets: ["HTTP", "HTTPServer", "Prometheus", "Sockets", "TLS"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
  ],
  targets: [
    .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CLibrdkafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
    .target(
      name: "CSimdjson",
      cxxSettings: [.unsafeFlags(["-O2"])],
      linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]
    ),
    .target(name: "Threading", dependencies: ["CLinux"], swiftSettings: hotPath),
    .target(name: "Postgres", dependencies: ["CLibpq", "Threading"], swiftSettings: swift),
    .target(name: "Kafka", dependencies: ["CLibrdkafka", "Threading"], swiftSettings: swift),
    .target(name: "Counting", dependencies: ["CSimdjson"], swiftSettings: hotPath),
    .systemLibrary(name: "CLinux"),
    .target(name: "Sockets", dependencies: ["CLinux", "Threading"], swiftSettings: hotPath),
    .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "TLS", dependencies: ["COpenSSL"], swiftSettings: swift),
    .target(name: "Compression", dependencies: ["CZlib"], swiftSettings: swift),
    .target(name: "HTTP", dependencies: ["CNghttp2"], swiftSettings: hotPath),
    .target(name: "JSONText", swiftSettings: hotPath),
    .target(
      name: "HTTPServer",
      dependencies: ["HTTP", "JSONText", "TLS", "Sockets", "Threading", "Prometheus"],
      swiftSettings: hotPath
    ),
    .target(
      name: "APICore",
      dependencies: ["CountStore", "HTTP", "JSONText", "Compression", "Threading"],
      swiftSettings: hotPath
    ),
    .target(
      name: "OData",
      dependencies: ["APICore", "CountStore", "Counting", "HTTP", "JSONText", "Compression", "Postgres"],
      swiftSettings: swift
    ),
    .target(
      name: "TopItemsAPI",
      dependencies: [
        "APICore", "CountStore", "Counting", "HTTP", "JSONText", "OData", "Compression", "Threading",
        .product(name: "Yams", package: "Yams"),
      ],
      resources: [.embedInCode("openapi.yaml")],
      swiftSettings: swift
    ),
    .target(
      name: "CountStore",
      dependencies: ["Postgres", "Counting", "Threading"],
      resources: [.embedInCode("Migrations")],
      swiftSettings: hotPath
    ),
    .target(
      name: "Ingestion",
      dependencies: ["Kafka", "CountStore", "Counting", "Threading", "Postgres", "Prometheus"],
      swiftSettings: hotPath
    ),
    .target(
      name: "WebPages",
      dependencies: ["HTTP", "Compression"],
      resources: [.embedInCode("Pages")],
      swiftSettings: swift
    ),
    .target(name: "Prometheus", swiftSettings: swift),
    .target(name: "Simulation", dependencies: ["Counting", "JSONText"], swiftSettings: swift),
    .executableTarget(
      name: "topitems",
      dependencies: [
        "APICore", "CountStore", "Counting", "HTTP", "HTTPServer", "Ingestion", "JSONText", "Kafka", "OData",
        "Postgres",
        "Prometheus", "Simulation", "Sockets", "TLS", "Threading", "TopItemsAPI", "WebPages",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swift
    ),
    .executableTarget(
      name: "latency-bench",
      dependencies: ["Kafka", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Benchmarks/Latency",
      swiftSettings: swift
    ),
    .executableTarget(
      name: "ingest-bench",
      dependencies: [
        "Kafka", "Postgres", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/Ingest",
      swiftSettings: swift
    ),
    .executableTarget(
      name: "query-bench",
      dependencies: [
        "CountStore", "Counting", "Postgres",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/Queries",
      swiftSettings: swift
    ),
    .executableTarget(
      name: "hello-server",
      dependencies: ["HTTPServer", "HTTP", "Sockets"],
      path: "Examples/hello-server",
      swiftSettings: swift
    ),
    .executableTarget(
      name: "http-fuzz",
      dependencies: ["HTTP", "OData", "TopItemsAPI", "CountStore", "Counting", "Threading"],
      path: "Tests/HTTPFuzz",
      exclude: ["corpus"],
      swiftSettings: swift
    ),
    .target(
      name: "TestSupport",
      dependencies: ["CLibrdkafka", "COpenSSL", "Counting", "Kafka", "Postgres", "Threading"],
      path: "Tests/TestSupport",
      swiftSettings: swift
    ),
    .testTarget(name: "PrometheusTests", dependencies: ["Prometheus"], swiftSettings: swift),
    .testTarget(name: "PostgresTests", dependencies: ["Postgres"], swiftSettings: swift),
    .testTarget(
      name: "KafkaTests",
      dependencies: ["Kafka", "Threading", "CLibrdkafka"],
      swiftSettings: swift
    ),
    .testTarget(name: "TLSTests", dependencies: ["TLS", "COpenSSL", "TestSupport"], swiftSettings: swift),
    .testTarget(name: "CompressionTests", dependencies: ["Compression"], swiftSettings: swift),
    .target(
      name: "HTTPCases",
      dependencies: ["CNghttp2"],
      path: "Tests/HTTPCases",
      swiftSettings: swift
    ),
    .testTarget(
      name: "HTTPTests",
      dependencies: ["HTTP", "HTTPCases", "TestSupport"],
      swiftSettings: swift
    ),
    .testTarget(name: "ThreadingTests", dependencies: ["Threading", "TestSupport"], swiftSettings: swift),
    .testTarget(name: "SocketsTests", dependencies: ["Sockets", "Threading"], swiftSettings: swift),
    .testTarget(
      name: "HTTPServerTests",
      dependencies: [
        "COpenSSL", "HTTP", "HTTPCases", "HTTPServer", "TLS", "Sockets", "Threading", "Prometheus",
        "TestSupport",
      ],
      swiftSettings: swift
    ),
    .testTarget(
      name: "CountStoreTests",
      dependencies: ["CountStore", "Counting", "Threading", "TestSupport"],
      swiftSettings: swift
    ),
    .testTarget(
      name: "IngestionTests",
      dependencies: [
        "CLibrdkafka", "Ingestion", "CountStore", "Counting", "Kafka", "Threading", "Postgres", "Prometheus",
        "TestSupport",
      ],
      swiftSettings: swift
    ),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "Ingestion", "CountStore", "Counting", "HTTP", "Kafka", "OData", "Threading", "Postgres",
        "Simulation",
        "TestSupport", "TopItemsAPI",
      ],
      swiftSettings: swift
    ),
    .testTarget(
      name: "APICoreTests",
      dependencies: ["APICore", "HTTP", "TestSupport"],
      swiftSettings: swift
    ),
    .testTarget(name: "JSONTextTests", dependencies: ["JSONText", "TestSupport"], swiftSettings: swift),
    .testTarget(
      name: "ODataTests",
      dependencies: ["APICore", "CountStore", "Counting", "HTTP", "OData", "TestSupport", "Threading"],
      swiftSettings: swift
    ),
    .testTarget(
      name: "TopItemsAPITests",
      dependencies: [
        "APICore", "TopItemsAPI", "CountStore", "Counting", "HTTP", "JSONText", "Threading", "Postgres",
        "TestSupport",
      ],
      swiftSettings: swift
    ),
    .testTarget(name: "WebPagesTests", dependencies: ["WebPages", "HTTP"], swiftSettings: swift),
    .testTarget(name: "CountingTests", dependencies: ["Counting", "TestSupport"], swiftSettings: swift),
    .testTarget(name: "SimulationTests", dependencies: ["Simulation", "Counting"], swiftSettings: swift),
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["TestSupport", "Postgres", "Kafka", "Counting"],
      swiftSettings: swift
    ),
    .testTarget(
      name: "topitemsTests",
      dependencies: [
        "topitems", "CountStore", "Postgres",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swift
    ),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
