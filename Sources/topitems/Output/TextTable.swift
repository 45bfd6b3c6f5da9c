/// Rows with aligned columns, for people. What comes from outside is made harmless.
struct TextTable {
  enum Alignment { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []
  private static let widest = 60

  init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  var isEmpty: Bool { rows.isEmpty }

  /// One cell for each column.
  mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count, "a row has as many cells as the table has columns")
    rows.append(cells.map { SafeText.clipped(SafeText.line($0), to: Self.widest) })
  }

  /// The lines, titles first.
  var text: String {
    let all = [columns.map(\.title)] + rows
    let widths = columns.indices.map { column in all.map { SafeText.width($0[column]) }.max() ?? 0 }
    return all.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - SafeText.width(cell))
        if column > 0 { line += "  " }
        let isLast = column == columns.count - 1
        line += columns[column].alignment == .right ? padding + cell : isLast ? cell : cell + padding
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
