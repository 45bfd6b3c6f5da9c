import CountStore

/// The entity model as CSDL XML (OData CSDL 4.0). Its annotations advertise what works, and nothing more.
enum ODataMetadata {
  static let xml = Array(document.utf8)

  private static let namespace = ODataEntitySet.namespace

  private static let document = """
    <?xml version="1.0" encoding="UTF-8"?>
    <edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
    \(ODataVocabulary.all.map(reference).joined())<edmx:DataServices>
    <Schema Namespace="\(namespace)" xmlns="http://docs.oasis-open.org/odata/ns/edm">
    \(ODataEntitySet.EntityType.allCases.map(entityType).joined())<EntityContainer Name="Container">
    \(ODataEntitySet.all.map(entitySet).joined())\(ODataAnnotations.container.map(annotation).joined())</EntityContainer>
    </Schema>
    </edmx:DataServices>
    </edmx:Edmx>

    """

  private static func reference(_ vocabulary: ODataVocabulary) -> String {
    """
    <edmx:Reference Uri="\(vocabulary.uri)">
    <edmx:Include Namespace="\(vocabulary.namespace)" Alias="\(vocabulary.alias)"/>
    </edmx:Reference>

    """
  }

  private static func entityType(_ type: ODataEntitySet.EntityType) -> String {
    let key = type.view.key.map { "<PropertyRef Name=\"\($0.name)\"/>\n" }.joined()
    let properties = type.view.columns.map { column in
      let nullable = column.isNullable ? "" : " Nullable=\"false\""
      let precision = column.type == .timestamp ? " Precision=\"0\"" : ""
      let annotations = ODataAnnotations.property(column).map(annotation).joined()
      return """
        <Property Name="\(column.name)" Type="\(column.type.edm)"\(nullable)\(precision)>
        \(annotations)</Property>

        """
    }
    return """
      <EntityType Name="\(type.rawValue)">
      <Key>
      \(key)</Key>
      \(properties.joined())</EntityType>

      """
  }

  private static func entitySet(_ set: ODataEntitySet) -> String {
    """
    <EntitySet Name="\(set.name)" EntityType="\(namespace).\(set.entityType.rawValue)">
    \(ODataAnnotations.entitySet(set).map(annotation).joined())</EntitySet>

    """
  }

  private static func annotation(_ annotation: ODataAnnotation) -> String {
    "<Annotation Term=\"\(annotation.term)\"" + value(annotation.value, closing: "Annotation")
  }

  /// An attribute where there is one for the value, else an element.
  private static func value(_ value: ODataAnnotation.Value, closing element: String) -> String {
    switch value {
    case .bool(let flag): return " Bool=\"\(flag)\"/>\n"
    case .string(let text): return " String=\"\(escaped(text))\"/>\n"
    case .member(let type, let name): return " EnumMember=\"\(type)/\(name)\"/>\n"
    case .strings(let texts):
      let strings = texts.map { "<String>\(escaped($0))</String>\n" }.joined()
      return ">\n<Collection>\n\(strings)</Collection>\n</\(element)>\n"
    case .record(let properties):
      let values = properties.map { name, property in
        "<PropertyValue Property=\"\(name)\"" + self.value(property, closing: "PropertyValue")
      }
      return ">\n<Record>\n\(values.joined())</Record>\n</\(element)>\n"
    }
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
  }
}
