import Counting
import Postgres
import TestSupport
import Testing

@Suite("columns of fates")
struct FateColumnsTests {
  @Test(
    "each table that counts messages has one column for each fate",
    arguments: ["ingest_offset", "forgotten_topic", "fate_total"]
  )
  func columns(table: String) throws {
    try CountStoreFixture.with { fixture throws in
      let result = try fixture.connection.execute(
        """
        SELECT attname::text FROM pg_attribute
        WHERE attrelid = \(table)::regclass AND attnum > 0 AND NOT attisdropped AND atttypid = 'bigint'::regtype
        """
      )
      var columns: Set<String> = []
      for row in 0..<result.count { columns.insert(try result.string(row, 0)) }
      columns.subtract(["next_offset", "epoch", "log_end_offset", "partitions", "lost"])
      #expect(columns == Set(Fate.allCases.map(\.column.description)))
    }
  }
}
