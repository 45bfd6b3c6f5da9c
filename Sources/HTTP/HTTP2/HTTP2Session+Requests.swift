import CNghttp2

extension HTTP2Session {
  /// A request's header section is complete.
  func beginRequest(_ stream: HTTP2Stream) {
    stream.begun = now
    stream.isHead = stream.head.isHead
    do throws(ProtocolError) {
      let (request, length) = try stream.head.finish(requestLimits)
      stream.request = request
      stream.input = .content
      if stream.isHalfOpen { try admitContent(of: request, stream, length) }
    } catch {
      refuse(stream, error)
    }
    keepWithinMemory()
  }

  /// Content may follow: it is read where it is of use. Elsewhere the response says all there is to say.
  private func admitContent(of request: Request, _ stream: HTTP2Stream, _ length: Int?) throws(ProtocolError)
  {
    stream.contentLimit = min(contentLimit(request), requestLimits.bodyBytes)
    guard stream.contentLimit > 0 else {
      stream.dropAllowance = requestLimits.bodyBytes
      return complete(stream)
    }
    guard length ?? 0 <= stream.contentLimit else { throw Framing.contentTooLarge(stream.contentLimit) }
    if stream.head.expectsContinue { submitContinue(stream) }
  }

  /// The response does not depend on the rest of the request. A little of it is let come, for a moment: a client that
  /// that learns at once (RFC 9113 §8.1) that it need not go on may drop the response with the rest, as curl 7.88 does.
  func stopDropping(_ stream: HTTP2Stream) {
    guard stream.answeredSince != nil, stream.isHalfOpen, stream.dropAllowance <= 0 else { return }
    _ = withSession { nghttp2_submit_rst_stream($0, 0, stream.id, HTTP2ErrorCode.noError.rawValue) }
  }

  /// So much is kept of requests that are not complete, or wait for room, that the newest has to go. It was not looked
  /// at, so its client may send it again (RFC 9113 §8.7).
  func keepWithinMemory() {
    let one = requestLimits.bodyBytes + requestLimits.fieldBytes + requestLimits.requestLine
    while requestBytes > max(limits.requestBytes, one) {
      guard
        let newest = streams.values.filter({ !$0.isHandedOver && $0.requestBytes > 0 }).max(by: {
          $0.id < $1.id
        })
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
