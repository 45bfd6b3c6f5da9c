// swift-tools-version:6.0
import PackageDescription

let swift: [SwiftSetting] =
  [.enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility")]

let package = Package(
  name: "topitems",
  targets: [
    .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CLibrdkafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
    .target(
      name: "CSimdjson",
      cxxSettings: [.unsafeFlags(["-O2"])],
      linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]
    ),
    .target(name: "Postgres", dependencies: ["CLibpq"], swiftSettings: swift),
    .target(name: "Kafka", dependencies: ["CLibrdkafka"], swiftSettings: swift),
    .target(name: "Counting", dependencies: ["CSimdjson"], swiftSettings: swift),
    .target(
      name: "CountStore",
      dependencies: ["Postgres", "Counting"],
      resources: [.embedInCode("Migrations")],
      swiftSettings: swift
    ),
    .target(
      name: "Ingestion",
      dependencies: ["Kafka", "CountStore", "Counting", "Postgres", "Prometheus"],
      swiftSettings: swift
    ),
    .target(name: "Prometheus", swiftSettings: swift),
    .target(name: "Simulation", dependencies: ["Counting"], swiftSettings: swift),
    .target(
      name: "TestSupport",
      dependencies: ["Postgres", "CountStore", "Counting", "Kafka"],
      path: "Tests/TestSupport",
      swiftSettings: swift
    ),
    .testTarget(name: "CountingTests", dependencies: ["Counting"], swiftSettings: swift),
    .testTarget(
      name: "CountStoreTests",
      dependencies: ["CountStore", "Counting", "TestSupport"],
      swiftSettings: swift
    ),
    .testTarget(
      name: "IngestionTests",
      dependencies: ["Ingestion", "CountStore", "Counting", "TestSupport"],
      swiftSettings: swift
    ),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "Ingestion", "CountStore", "Counting", "Kafka", "Postgres", "Simulation", "TestSupport",
      ],
      swiftSettings: swift
    ),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
