import Counting

/// One detection as the simulation holds it, in 32 bytes.
struct SimulatedEvent: Hashable, Sendable {
  var detectionOid: Int64
  var detectedAt: Timestamp
  /// Indexes: the first location, camera or item is 0.
  var location: Int32
  var item: Int32
  var camera: Int32

  /// Locations are numbered from 1.
  var locationOid: Int64 { Int64(location) + 1 }
  /// Cameras are numbered within their location: 30,004 is the fourth of location 3.
  var cameraOid: Int64 { locationOid * 10_000 + Int64(camera) + 1 }

  /// How a camera's firmware writes its events. One camera always writes alike.
  private enum Firmware { case compact, spacious, numeric }

  private var firmware: Firmware {
    switch (location + camera) % 4 {
    // Before 1973, a time in milliseconds would read as seconds.
    case 2 where detectedAt.microseconds >= 100_000_000_000_000: .numeric
    case 1: .spacious
    default: .compact
    }
  }

  /// Appends the event as JSON. The bytes depend on the event alone, so that a resend repeats them.
  func appendJSON(to payload: inout [UInt8], _ catalogue: ItemCatalogue) {
    switch firmware {
    case .compact:
      payload.append("{\"geographical_location_oid\":")
      payload.append(decimal: locationOid)
      payload.append(",\"video_camera_oid\":")
      payload.append(decimal: cameraOid)
      payload.append(",\"detection_oid\":")
      payload.append(decimal: detectionOid)
      payload.append(",\"item_name\":")
      payload.append(contentsOf: catalogue.json[Int(item)])
      payload.append(",\"timestamp_detected\":\"")
      detectedAt.appendRFC3339(to: &payload)
      payload.append("\"}")
    case .spacious:
      payload.append("{\"detection_oid\": ")
      payload.append(decimal: detectionOid)
      payload.append(", \"geographical_location_oid\": ")
      payload.append(decimal: locationOid)
      payload.append(", \"video_camera_oid\": ")
      payload.append(decimal: cameraOid)
      payload.append(", \"item_name\": ")
      payload.append(contentsOf: catalogue.asciiJSON[Int(item)])
      // The local time of a camera two hours east of Greenwich: the offset takes the place of the "Z".
      payload.append(", \"timestamp_detected\": \"")
      Timestamp(microseconds: detectedAt.microseconds + 7_200_000_000).appendRFC3339(to: &payload)
      payload.removeLast()
      payload.append("+02:00\"}")
    case .numeric:
      payload.append("{\"timestamp_detected\":")
      payload.append(decimal: detectedAt.microseconds / 1_000)
      payload.append(",\"timestamp\":null,\"detection_oid\":")
      payload.append(decimal: detectionOid)
      payload.append(",\"item_name\":")
      payload.append(contentsOf: catalogue.json[Int(item)])
      payload.append(",\"confidence\":0.93,\"video_camera_oid\":")
      payload.append(decimal: cameraOid)
      payload.append(",\"geographical_location_oid\":")
      payload.append(decimal: locationOid)
      payload.append(",\"box\":{\"x\":0.25,\"y\":0.5,\"labels\":[\"moving\",null]}}")
    }
  }
}
