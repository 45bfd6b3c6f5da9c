/// Where a server's certificate is.
public struct TLSFiles: Sendable, Hashable {
  /// PEM: the server's certificate, then those that lead to its authority.
  public var certificate: String
  /// PEM: the key that belongs to it, without a password.
  public var key: String
  /// PEM: the authorities one of which must have signed a client's certificate; nil: clients need none.
  public var clientAuthorities: String?

  /// Takes each path.
  public init(certificate: String, key: String, clientAuthorities: String? = nil) {
    self.certificate = certificate
    self.key = key
    self.clientAuthorities = clientAuthorities
  }
}
