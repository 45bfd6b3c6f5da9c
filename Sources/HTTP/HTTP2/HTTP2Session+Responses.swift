import CNghttp2

extension HTTP2Session {
  /// Answers with a whole response; how much of its body is sent. A stream that is gone takes nothing.
  ///
  /// - Parameter keeping: is kept as long as the body is, until it is sent or its stream is gone.
  @discardableResult
  public func answer(
    _ response: Response,
    on id: StreamID,
    date: DateField,
    keeping: AnyObject? = nil
  ) -> Int {
    guard let stream = streams[id], stream.isUnanswered else { return 0 }
    let sendsBody = !stream.isHead && !response.status.isWithoutContent
    let content = sendsBody ? response.body : []
    stream.begin(.whole, content: content, at: now)
    if !content.isEmpty { stream.kept = keeping }
    pendingAnswerBytes += content.count
    submit(response, stream, date, length: response.status.isWithoutContent ? nil : response.body.count)
    if response.closesConnection { shutDown(now: now) }
    return content.count
  }

  /// Begins a response whose content comes later: `send`, and in the end `end`. The response's body is the first piece.
  ///
  /// - Parameter isEndless: each piece is a response of its own for `HTTP2Limits.write`; otherwise all are one.
  /// - Returns: whether content may follow; without it the response is whole.
  @discardableResult
  public func begin(
    _ head: Response,
    on id: StreamID,
    date: DateField,
    isEndless: Bool = false
  ) -> Bool {
    // `Notice.closed` reports a stream that is gone.
    guard let stream = streams[id], stream.isUnanswered else { return true }
    let hasContent = !stream.isHead && !head.status.isWithoutContent
    let content = hasContent ? head.body : []
    stream.begin(hasContent ? .open : .whole, content: content, isEndless: isEndless, at: now)
    pendingAnswerBytes += stream.pending
    submit(head, stream, date, length: nil)
    return hasContent
  }

  /// Hands over some content of an open response. `Notice.writable` says when there is room for the next piece.
  ///
  /// - Parameter keeping: is kept as long as the piece is, until it is sent or its stream is gone.
  public func send(_ piece: [UInt8], on id: StreamID, keeping: AnyObject? = nil) {
    guard let stream = streams[id], case .open = stream.answer, !piece.isEmpty else { return }
    stream.append(piece, at: now)
    stream.kept = keeping
    pendingAnswerBytes += piece.count
    resume(stream)
  }

  /// The open response is complete.
  public func end(_ id: StreamID) {
    guard let stream = streams[id], case .open = stream.answer else { return }
    stream.end(at: now)
    resume(stream)
  }

  /// Whether all that was handed over of a response is on its way; false for a stream that is gone.
  public func isWritable(_ id: StreamID) -> Bool { streams[id].map { $0.pending == 0 } ?? false }

  private func resume(_ stream: HTTP2Stream) {
    // It fails when nothing was deferred: then nghttp2 comes by itself.
    _ = withSession { nghttp2_session_resume_data($0, stream.id) }
  }

  private func submit(_ response: Response, _ stream: HTTP2Stream, _ date: DateField, length: Int?) {
    let list = HeaderList(
      status: response.status,
      fields: response.fields,
      date: date.value,
      length: length
    )
    let result = list.withPairs { pairs in
      withSession { session in
        guard stream.pending > 0 || !stream.isWhole else {
          return nghttp2_submit_response(session, stream.id, pairs.baseAddress, pairs.count, nil)
        }
        var provider = nghttp2_data_provider()
        provider.read_callback = HTTP2Session.readContent
        return nghttp2_submit_response(session, stream.id, pairs.baseAddress, pairs.count, &provider)
      }
    }
    if result != 0 { reset(stream.id, .internalError) }
  }
}
