// swift-tools-version:6.0
import PackageDescription

/// Servers that `make bench-http` measures ours beside; nothing else needs them, so they have a package of their own.
let package = Package(
  name: "peers",
  platforms: [.macOS(.v14)],
  dependencies: [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.0.0"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.0"),
  ],
  targets: [
    .executableTarget(
      name: "hummingbird-peer",
      dependencies: [
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdTLS", package: "hummingbird"),
      ]
    ),
    .executableTarget(
      name: "flyingfox-peer",
      dependencies: [.product(name: "FlyingFox", package: "FlyingFox")]
    ),
  ],
  swiftLanguageModes: [.v6]
)
