import CountStore
import JSONText

/// The entity model as CSDL JSON (OData CSDL JSON 4.01): the same as in `ODataMetadata`.
enum ODataMetadataJSON {
  static let document: [UInt8] = {
    var json = JSONWriter()
    let namespace = ODataEntitySet.namespace
    json.object { json in
      json.name("$Version")
      json.string("4.0")
      json.name("$EntityContainer")
      json.string(namespace + ".Container")
      json.name("$Reference")
      json.object { json in
        for vocabulary in ODataVocabulary.all { reference(vocabulary, &json) }
      }
      json.name(namespace)
      json.object { json in
        for type in ODataEntitySet.EntityType.allCases { entityType(type, &json) }
        json.name("Container")
        json.object { json in
          json.name("$Kind")
          json.string("EntityContainer")
          annotate(ODataAnnotations.container, &json)
          for set in ODataEntitySet.all { entitySet(set, &json) }
        }
      }
    }
    return json.bytes
  }()

  private static func reference(_ vocabulary: ODataVocabulary, _ json: inout JSONWriter) {
    json.name(vocabulary.uri)
    json.object { json in
      json.name("$Include")
      json.array { json in
        json.object { json in
          json.name("$Namespace")
          json.string(vocabulary.namespace)
          json.name("$Alias")
          json.string(vocabulary.alias)
        }
      }
    }
  }

  private static func entityType(_ type: ODataEntitySet.EntityType, _ json: inout JSONWriter) {
    json.name(type.rawValue)
    json.object { json in
      json.name("$Kind")
      json.string("EntityType")
      json.name("$Key")
      json.array { json in
        for column in type.view.key { json.string(column.name) }
      }
      for column in type.view.columns { property(column, &json) }
    }
  }

  private static func property(_ column: BIColumn, _ json: inout JSONWriter) {
    json.name(column.name)
    json.object { json in
      json.name("$Type")
      json.string(column.type.edm)
      if column.isNullable {
        json.name("$Nullable")
        json.bool(true)
      }
      if column.type == .timestamp {
        json.name("$Precision")
        json.integer(0)
      }
      annotate(ODataAnnotations.property(column), &json)
    }
  }

  private static func entitySet(_ set: ODataEntitySet, _ json: inout JSONWriter) {
    json.name(set.name)
    json.object { json in
      json.name("$Collection")
      json.bool(true)
      json.name("$Type")
      json.string("\(ODataEntitySet.namespace).\(set.entityType.rawValue)")
      annotate(ODataAnnotations.entitySet(set), &json)
    }
  }

  private static func annotate(_ annotations: [ODataAnnotation], _ json: inout JSONWriter) {
    for annotation in annotations {
      json.name("@" + annotation.term)
      write(annotation.value, &json)
    }
  }

  private static func write(_ value: ODataAnnotation.Value, _ json: inout JSONWriter) {
    switch value {
    case .bool(let flag): json.bool(flag)
    case .string(let text), .member(_, let text): json.string(text)
    case .strings(let texts):
      json.array { json in
        for text in texts { json.string(text) }
      }
    case .record(let properties):
      json.object { json in
        for (name, property) in properties {
          json.name(name)
          write(property, &json)
        }
      }
    }
  }
}
