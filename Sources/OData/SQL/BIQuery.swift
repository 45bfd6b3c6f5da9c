/// One query about a view: a source, changed step by step, and then put in order, cut and shown.
public struct BIQuery: Sendable, Hashable {
  /// A change of what the view, or the step before, gives.
  public enum Step: Sendable, Hashable {
    /// The rows for which the condition is true.
    case filter(BIExpression)
    /// One row for each combination of the columns' values; without columns one row for all.
    case group(by: [BIColumn], [BIAggregate])
    /// The `limit` rows with the largest values of a column, among all or among those that agree in `within`; what
    /// ties is decided by the `key`.
    case top(Int64, by: BIColumn, within: [BIColumn], key: [BIColumn])
  }

  /// A column to sort by; null comes first where it goes up (OData Part 2, 5.1.4).
  public struct Order: Sendable, Hashable {
    /// What is compared; texts by their bytes.
    public var column: BIColumn
    /// From the largest to the smallest.
    public var isDescending: Bool

    /// Takes each property.
    public init(_ column: BIColumn, isDescending: Bool = false) {
      self.column = column
      self.isDescending = isDescending
    }
  }

  /// Where the rows come from.
  public var view: BIView
  /// Taken in this order.
  public var steps: [Step]
  /// Must end with columns that are unique together, if the order is to be the same each time.
  public var order: [Order]
  /// How many rows are left out at the start.
  public var skip: Int64
  /// How many rows are given at most; nil for all.
  public var limit: Int64?
  /// What is shown.
  public var columns: [BIColumn]
  /// Whether to return how many rows there are before `skip` and `limit`.
  public var isCounted: Bool

  /// All columns of all rows, in the order of the view's key.
  public init(_ view: BIView) {
    self.view = view
    steps = []
    order = view.key.map { Order($0) }
    skip = 0
    limit = nil
    columns = view.columns
    isCounted = false
  }
}

/// What is made of the rows of a group.
public struct BIAggregate: Sendable, Hashable {
  /// How.
  public enum Function: Sendable, Hashable, CaseIterable {
    case sum
    case min
    case max
    case countDistinct
  }

  /// nil for the number of rows.
  public var function: Function?
  /// What it is made of; nil for the number of rows.
  public var column: BIColumn?
  /// The column that it becomes.
  public var result: BIColumn

  /// The number of rows.
  public init(countAs result: BIColumn) {
    self.result = result
  }

  /// A function of a column; the sum only of numbers.
  public init(_ function: Function, of column: BIColumn, as result: BIColumn) {
    self.function = function
    self.column = column
    self.result = result
  }
}
