import CountStore
import Counting

/// Top lists as JSON: flat records, which spreadsheets and Power Query take as rows without unfolding.
struct TopItemsJSON {
  var integers: TopItemsParameters.IntegerStyle

  /// The page envelope of `/v1/top-items`.
  func page(_ answer: TopItems) -> [UInt8] {
    var json = JSONWriter(capacity: 1024 + 192 * answer.rows.count)
    json.object { json in
      json.name("meta")
      json.object { json in
        json.name("from")
        json.value(time(answer.from))
        json.name("to")
        json.value(time(answer.to))
        json.name("revision")
        json.integer(answer.revision)
        json.name("watermark")
        json.value(time(answer.watermark))
        json.name("state")
        json.string(answer.state.rawValue)
        json.name("columns")
        writeColumns(to: &json)
      }
      json.name("data")
      writeRows(answer, to: &json)
      json.name("rows")
      json.integer(answer.rows.count)
      json.name("next")
      json.null()
      json.name("next_cursor")
      json.null()
    }
    return json.bytes
  }

  /// The bare array of `/v1/top-items.json`.
  func records(_ answer: TopItems) -> [UInt8] {
    var json = JSONWriter(capacity: 64 + 192 * answer.rows.count)
    writeRows(answer, to: &json)
    return json.bytes
  }

  private func writeRows(_ answer: TopItems, to json: inout JSONWriter) {
    // The same in all rows, so written once.
    let from = time(answer.from)
    let to = time(answer.to)
    json.array { json in
      for row in answer.rows {
        json.object { json in
          json.name("geographical_location_oid")
          switch (row.locationOid, integers) {
          case (nil, _): json.null()
          case (let oid?, .string): json.quotedInteger(oid)
          case (let oid?, .number): json.integer(oid)
          }
          json.name("geographical_location")
          if let name = row.locationName { json.string(name) } else { json.null() }
          json.name("window_start")
          json.value(from)
          json.name("window_end")
          json.value(to)
          json.name("item_rank")
          json.integer(row.rank)
          json.name("item_name")
          json.string(row.itemName)
          json.name("item_count")
          json.integer(row.count)
        }
      }
    }
  }

  /// The columns' names and types, in the order of the records, so that a client can build its table before the
  /// first row, and also when there is none.
  private func writeColumns(to json: inout JSONWriter) {
    json.array { json in
      for (name, type) in Self.columns {
        json.object { json in
          json.name("name")
          json.string(name)
          json.name("type")
          json.string(type)
        }
      }
    }
  }

  private static let columns = [
    ("geographical_location_oid", "int64"), ("geographical_location", "string"),
    ("window_start", "timestamp"), ("window_end", "timestamp"),
    ("item_rank", "int64"), ("item_name", "string"), ("item_count", "int64"),
  ]

  private func time(_ time: Timestamp?) -> [UInt8] {
    guard let time else { return Array("null".utf8) }
    var json: [UInt8] = [UInt8(ascii: "\"")]
    time.appendRFC3339(to: &json)
    json.append(UInt8(ascii: "\""))
    return json
  }
}
