/// Compression of whole answers and of streams, by zlib.
public enum Compression {}
