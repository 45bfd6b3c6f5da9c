/// The version of this program.
enum ProductVersion {
  /// Semantic version (semver.org), without a leading "v".
  static let text = "0.1.0"
}
