import Counting
import Postgres

extension CountStore {
  /// The columns of `statement(for:)`, in their order.
  enum TopItemsColumn {
    static let from = 0
    static let to = 1
    static let revision = 2
    static let watermark = 3
    static let state = 4
    static let lag = 5
    static let unknown = 6
    static let isTied = 7
    static let previousFrom = 8
    static let previousTo = 9
    static let location = 10
    static let locationName = 11
    static let rank = 12
    static let item = 13
    static let count = 14
    static let total = 15
    static let previousRank = 16
    static let previousCount = 17
  }

  /// One row for each row of the list, each with the labels; one row with the labels alone where the list is empty.
  static func statement(for query: TopItemsQuery) -> Query {
    let ranking = Ranking(query: query)
    // Those that follow the ranked ones: what dropped out (1), and the others (2).
    let parts: [Query] =
      ["SELECT *, 0 AS part FROM listed"]
      + (query.comparesPrevious ? ["SELECT *, 1 FROM dropped"] : [])
      + (query.hasOthers ? [rest(ranking)] : [])
    return """
      WITH \(ranking.sql),
      \(query.comparesPrevious ? comparison(ranking) : plain),
      answer AS (\(parts.dropFirst().reduce(parts[0]) { "\($0) UNION ALL \($1)" }))
      SELECT range.from_at, range.to_at, revision, watermark, \(unescaped: Label.state(to: "range.to_at")), lag,
             unknown.locations, EXISTS (SELECT FROM ranked WHERE item_rank > \(query.n)),
             previous_range.from_at, previous_range.to_at,
             answer.location, geographical_location, item_rank, item_name, item_count, total,
             previous_rank, previous_count
      FROM labels CROSS JOIN range CROSS JOIN unknown CROSS JOIN previous_range
      LEFT JOIN answer ON true
      LEFT JOIN location ON geographical_location_oid = answer.location
      ORDER BY answer.location, part, item_rank, previous_rank
      LIMIT \(limit(query.maximumRows))
      """
  }

  private static let plain: Query = """
    previous_range AS (SELECT NULL::timestamptz AS from_at, NULL::timestamptz AS to_at),
    listed AS (
      SELECT location, item_rank, item_name, item_count, total,
             NULL::bigint AS previous_rank, NULL::bigint AS previous_count
      FROM top)
    """

  /// The previous range, and what has changed: `listed` and `dropped`, which are those that were among the best then.
  private static func comparison(_ ranking: Ranking) -> Query {
    // Beyond what PostgreSQL's calendar can hold, there is no previous range.
    let pieces = RangePieces(
      prefix: "previous_",
      asked: """
        (SELECT from_at - (to_at - from_at) AS from_at, from_at AS to_at FROM range
         WHERE to_at - from_at < interval '1400000 days' AND from_at < to_at
         UNION ALL SELECT NULL, NULL FROM range
         WHERE (to_at - from_at < interval '1400000 days' AND from_at < to_at) IS NOT TRUE) AS span_before
        """
    )
    return """
      \(unescaped: pieces.sql),
      \(ranking.counted(as: "previous", of: pieces)),
      before AS (
        SELECT location, item_id, item_name, item_count,
               row_number() OVER (PARTITION BY location ORDER BY item_count DESC, item_name COLLATE "C") AS item_rank
        FROM previous JOIN item USING (item_id)),
      listed AS (
        SELECT top.location, top.item_rank, top.item_name, top.item_count, top.total,
               before.item_rank AS previous_rank, coalesce(before.item_count, 0) AS previous_count
        FROM top LEFT JOIN before ON before.item_id = top.item_id AND \(unescaped: ranking.sameRanking("before", "top"))),
      dropped AS (
        SELECT before.location, NULL::bigint AS item_rank, before.item_name, coalesce(counted.item_count, 0) AS item_count,
               counted.total, before.item_rank AS previous_rank, before.item_count AS previous_count
        FROM before LEFT JOIN counted
          ON counted.item_id = before.item_id AND \(unescaped: ranking.sameRanking("counted", "before"))
        WHERE before.item_rank <= \(ranking.query.n) AND NOT EXISTS (
          SELECT FROM top WHERE top.item_id = before.item_id AND \(unescaped: ranking.sameRanking("top", "before"))))
      """
  }

  /// What is counted and not shown, as one row of each ranking.
  private static func rest(_ ranking: Ranking) -> Query {
    let shown =
      ranking.query.comparesPrevious
      ? "(SELECT location, item_count FROM listed UNION ALL SELECT location, item_count FROM dropped) AS shown"
      : "listed"
    return """
      SELECT counted.location, NULL, NULL, (counted.item_count - coalesce(shown.item_count, 0))::bigint, counted.total,
             NULL, NULL, 2
      FROM (SELECT location, sum(item_count) AS item_count, max(total) AS total FROM counted GROUP BY location) AS counted
      LEFT JOIN (SELECT location, sum(item_count) AS item_count FROM \(unescaped: shown) GROUP BY location) AS shown
        ON \(unescaped: ranking.sameRanking("shown", "counted"))
      WHERE counted.item_count > coalesce(shown.item_count, 0)
      """
  }
}
