import CNghttp2

extension HTTP2Session {
  /// A request's header section is complete.
  func beginRequest(_ stream: HTTP2Stream) {
    stream.begun = now
    stream.isHead = stream.head.isHead
    do throws(ProtocolError) {
      let (request, expectsContinue) = try stream.head.finish(requestLimits)
      stream.request = request
      stream.input = .content
      if expectsContinue, stream.isHalfOpen { submitContinue(stream) }
    } catch {
      refuse(stream, error)
    }
    keepWithinMemory()
  }

  /// So much is kept of requests that are not complete, or wait for room, that the newest has to go. It was not looked
  /// at, so its client may send it again (RFC 9113 §8.7).
  func keepWithinMemory() {
    let one = requestLimits.bodyBytes + requestLimits.fieldBytes + requestLimits.requestLine
    while requestBytes > max(limits.requestBytes, one) {
      guard let newest = streams.values.filter({ !$0.isHandedOver && $0.requestBytes > 0 }).max(by: { $0.id < $1.id })
      else { return }
      reset(newest.id, .refusedStream)
    }
  }

  /// 100: the client may send the content (RFC 9110 §10.1.1).
  private func submitContinue(_ stream: HTTP2Stream) {
    let fields = HeaderList(status: .continue)
    fields.withPairs { pairs in
      _ = withSession { nghttp2_submit_headers($0, 0, stream.id, nil, pairs.baseAddress, pairs.count, nil) }
    }
  }
}
