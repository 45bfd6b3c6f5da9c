/// TLS sessions over memory, by OpenSSL 3: no sockets.
public enum TLSLibrary {}
