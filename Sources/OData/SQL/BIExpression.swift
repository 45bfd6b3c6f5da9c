public import Counting

/// A value in a condition or in a row of a view.
public enum BIValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case int64(Int64)
  case text(String)
  case timestamp(Timestamp)
}

/// A condition on the columns of a view, or a part of one. Null takes part in it as OData 4.0 has it (Part 2, 5.1.1.1):
/// `null eq null` is true, null is neither greater nor less than anything, and a text function of null is null.
public indirect enum BIExpression: Sendable, Hashable {
  /// A row's value.
  case column(BIColumn)
  /// The asker's value.
  case value(BIValue)
  /// Both sides are of one type, or null.
  case compare(BIComparison, BIExpression, BIExpression)
  /// Whether the left side equals one of the values.
  case isIn(BIExpression, [BIValue])
  /// Whether the first text contains the second, in one of the ways.
  case match(BITextMatch, BIExpression, BIExpression)
  /// Three-valued, as SQL's AND.
  case all([BIExpression])
  /// Three-valued, as SQL's OR.
  case any([BIExpression])
  /// Three-valued, as SQL's NOT.
  case not(BIExpression)
}

/// How two values are compared. Texts are compared by their bytes.
public enum BIComparison: Sendable, Hashable, CaseIterable {
  case equal
  case notEqual
  case less
  case lessOrEqual
  case greater
  case greaterOrEqual
}

/// Where in a text another text must occur.
public enum BITextMatch: Sendable, Hashable, CaseIterable {
  case contains
  case startsWith
  case endsWith
}
