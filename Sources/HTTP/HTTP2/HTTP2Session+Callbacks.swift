import CNghttp2

// nghttp2 calls these while it reads or writes. They take notes and never throw; what they return stops a stream, or
// nothing.

private let success: Int32 = 0
/// The stream is over.
private let stopStream = Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)

extension HTTP2Session {
  /// `nonisolated(unsafe)`, here and below: made once, and only read afterwards.
  nonisolated(unsafe) static let callbacks: OpaquePointer? = {
    var callbacks: OpaquePointer?
    guard nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
      guard let session = owner(user), let frame else { return success }
      return session.beginsHeaders(frame.pointee)
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _,
      frame,
      name,
      nameLength,
      value,
      valueLength,
      _,
      user in
      guard let session = owner(user), let frame else { return success }
      let name = UnsafeBufferPointer(start: name, count: nameLength)
      let value = UnsafeBufferPointer(start: value, count: valueLength)
      session.hasHeader(frame.pointee, name, value)
      return success
    }
    // A field with a forbidden byte: dropped, the request would go on without it, and mean something else.
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks) { _, _, _, _, _, _, _, _ in stopStream
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
      guard let session = owner(user), let frame else { return success }
      return session.received(frame.pointee)
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, bytes, count, user in
      guard let session = owner(user) else { return success }
      session.receivedContent(UnsafeBufferPointer(start: bytes, count: count), id)
      return success
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
      guard let session = owner(user), let frame else { return success }
      session.sent(frame.pointee)
      return success
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, _, user in
      guard let session = owner(user), let stream = session.streams[id] else { return success }
      session.forget(stream)
      return success
    }
    return callbacks
  }()

  nonisolated(unsafe) static let options: OpaquePointer? = {
    var options: OpaquePointer?
    guard nghttp2_option_new(&options) == 0 else { return nil }
    // Kept only for the old priorities.
    nghttp2_option_set_no_closed_streams(options, 1)
    return options
  }()

  /// Where nghttp2 fetches a response's content.
  static let readContent: nghttp2_data_source_read_callback = { _, id, buffer, length, flags, _, user in
    // By its number, not by a pointer to it: a stream that we have broken off is no longer there.
    guard let session = owner(user), let flags, let stream = session.stream(id) else {
      return Int(stopStream)
    }
    let (count, isLast) = stream.take(
      into: UnsafeMutableRawBufferPointer(start: buffer, count: length),
      rate: session.limits.minimumWriteRate,
      at: session.now
    )
    session.pendingAnswerBytes -= count
    if isLast {
      flags.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue)
    } else if count == 0 {
      session.recordWritable(stream)
      return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    return count
  }
}

private func owner(_ user: UnsafeMutableRawPointer?) -> HTTP2Session? {
  user.map { Unmanaged<HTTP2Session>.fromOpaque($0).takeUnretainedValue() }
}

extension HTTP2Session {
  fileprivate func beginsHeaders(_ frame: nghttp2_frame) -> Int32 {
    guard frame.isRequest else { return success }
    let id = frame.hd.stream_id
    guard streams.count < limits.concurrentStreams else {
      _ = withSession {
        nghttp2_submit_rst_stream($0, 0, id, HTTP2ErrorCode.refusedStream.rawValue)
      }
      return stopStream
    }
    let stream = HTTP2Stream(id: id)
    streams[id] = stream
    latest = stream
    return success
  }

  fileprivate func hasHeader(
    _ frame: nghttp2_frame,
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>
  ) {
    guard let stream = stream(frame.hd.stream_id) else { return }
    let before = stream.head.size
    if frame.isRequest {
      stream.head.append(name, value, requestLimits)
    } else if case .content = stream.input,
      !stream.head.countField(name.count, value.count, requestLimits), let error = stream.head.error
    {
      refuse(stream, error)
    }
    requestBytes += stream.head.size - before
  }

  fileprivate func received(_ frame: nghttp2_frame) -> Int32 {
    let ends = frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch UInt32(frame.hd.type) {
    case NGHTTP2_HEADERS.rawValue:
      guard let stream = stream(frame.hd.stream_id) else { return success }
      if ends { stream.isHalfOpen = false }
      if frame.isRequest { beginRequest(stream) }
      if ends { complete(stream) }
    case NGHTTP2_DATA.rawValue where ends:
      guard let stream = stream(frame.hd.stream_id) else { return success }
      stream.isHalfOpen = false
      complete(stream)
    case NGHTTP2_SETTINGS.rawValue: hasPreface = true
    case NGHTTP2_PING.rawValue where frame.hd.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0:
      isNoticeHeeded = true
    default: break
    }
    return success
  }

  fileprivate func receivedContent(_ bytes: UnsafeBufferPointer<UInt8>, _ id: StreamID) {
    guard let stream = stream(id) else { return }
    guard case .content = stream.input else {
      stream.dropAllowance -= bytes.count
      return stopDropping(stream)
    }
    guard bytes.count <= stream.contentLimit - stream.content.count else {
      return refuse(stream, Framing.contentTooLarge(stream.contentLimit))
    }
    stream.content.append(contentsOf: bytes)
    requestBytes += bytes.count
    keepWithinMemory()
  }

  fileprivate func sent(_ frame: nghttp2_frame) {
    switch UInt32(frame.hd.type) {
    case NGHTTP2_DATA.rawValue, NGHTTP2_HEADERS.rawValue:
      guardian.recordProgress()
      let ends = frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
      if ends, let stream = stream(frame.hd.stream_id) {
        stream.answeredSince = now
        stopDropping(stream)
      }
    case NGHTTP2_RST_STREAM.rawValue where frame.rst_stream.error_code != HTTP2ErrorCode.noError.rawValue:
      // Not by stopping nghttp2: it would have to send the end of the connection.
      if let failure = guardian.recordReset(at: now) { violation = failure }
    case NGHTTP2_GOAWAY.rawValue where frame.goaway.error_code != HTTP2ErrorCode.noError.rawValue:
      recordEnd(HTTP2ErrorCode(rawValue: frame.goaway.error_code))
    default: break
    }
  }

  fileprivate func stream(_ id: StreamID) -> HTTP2Stream? {
    if let latest, latest.id == id { return latest }
    latest = streams[id]
    return latest
  }
}

extension nghttp2_frame {
  /// Whether it is the header section of a request, not a trailer section.
  fileprivate var isRequest: Bool {
    UInt32(hd.type) == NGHTTP2_HEADERS.rawValue && headers.cat == NGHTTP2_HCAT_REQUEST
  }
}
