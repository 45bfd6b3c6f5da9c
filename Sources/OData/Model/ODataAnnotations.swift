import CountStore
import JSONText

/// A vocabulary of OASIS that annotations are taken from.
struct ODataVocabulary {
  var uri: String
  var namespace: String
  var alias: String

  private static let folder = "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/"

  static let all = [("Core", "Core"), ("Capabilities", "Capabilities"), ("Aggregation", "Aggregation")].map {
    let namespace = "Org.OData.\($0.0).V1"
    return ODataVocabulary(uri: "\(folder)\(namespace).xml", namespace: namespace, alias: $0.1)
  }
}

/// What is said about a part of the model, in whatever notation.
struct ODataAnnotation {
  indirect enum Value {
    case bool(Bool)
    case string(String)
    /// A member of an enumeration.
    case member(type: String, String)
    case strings([String])
    case record([(String, Value)])
  }

  /// With the vocabulary's alias.
  var term: String
  var value: Value
}

/// What the service says about itself.
enum ODataAnnotations {
  static let container = [
    ODataAnnotation(
      term: "Capabilities.ConformanceLevel",
      value: .member(type: "Capabilities.ConformanceLevelType", "Intermediate")
    ),
    ODataAnnotation(
      term: "Capabilities.SupportedFormats",
      value: .strings(["application/json;odata.metadata=minimal;IEEE754Compatible=false"])
    ),
    ODataAnnotation(
      term: "Capabilities.FilterFunctions",
      value: .strings(["contains", "startswith", "endswith"])
    ),
    ODataAnnotation(term: "Capabilities.AsynchronousRequestsSupported", value: .bool(false)),
    ODataAnnotation(term: "Capabilities.BatchSupported", value: .bool(false)),
    ODataAnnotation(term: "Capabilities.CrossJoinSupported", value: .bool(false)),
    ODataAnnotation(term: "Capabilities.KeyAsSegmentSupported", value: .bool(false)),
  ]

  static func entitySet(_ set: ODataEntitySet) -> [ODataAnnotation] {
    [
      ODataAnnotation(term: "Core.Description", value: .string(set.description)),
      ODataAnnotation(term: "Capabilities.TopSupported", value: .bool(true)),
      ODataAnnotation(term: "Capabilities.SkipSupported", value: .bool(true)),
      ODataAnnotation(term: "Capabilities.IndexableByKey", value: .bool(true)),
      record("Capabilities.CountRestrictions", ("Countable", .bool(true))),
      record(
        "Capabilities.FilterRestrictions",
        ("Filterable", .bool(true)),
        ("RequiresFilter", .bool(false))
      ),
      record("Capabilities.SortRestrictions", ("Sortable", .bool(true))),
      record("Capabilities.ExpandRestrictions", ("Expandable", .bool(false))),
      record("Capabilities.SearchRestrictions", ("Searchable", .bool(false))),
      record("Capabilities.InsertRestrictions", ("Insertable", .bool(false))),
      record("Capabilities.UpdateRestrictions", ("Updatable", .bool(false))),
      record("Capabilities.DeleteRestrictions", ("Deletable", .bool(false))),
      record(
        "Aggregation.ApplySupported",
        ("Transformations", .strings(ODataPipeline.transformations)),
        ("PropertyRestrictions", .bool(false))
      ),
    ]
  }

  static func property(_ column: BIColumn) -> [ODataAnnotation] {
    descriptions[column.name].map { [ODataAnnotation(term: "Core.Description", value: .string($0))] } ?? []
  }

  private static func record(_ term: String, _ properties: (String, ODataAnnotation.Value)...)
    -> ODataAnnotation
  {
    ODataAnnotation(term: term, value: .record(properties))
  }

  private static let descriptions = [
    "geographical_location_oid": "The key of the location",
    "geographical_location": "What the location is called now; null where it has no name as yet",
    "window_start": "Where the window begins; inside it",
    "window_end": "Where the window ends; outside it. Filter on window_start, which is much faster",
    "item_rank": "1, 2, 3, … inside the location and window: by count descending, then by name in byte order",
    "item_name": "1 to 5,000 characters of whatever the cameras sent",
    "item_count": "Distinct detections",
  ]
}
