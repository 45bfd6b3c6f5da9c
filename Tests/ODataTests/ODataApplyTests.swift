import CountStore
import HTTP
import TestSupport
import Testing

@testable import OData

@Suite("OData: $apply becomes steps of one query")
struct ODataApplyTests {
  private static func column(_ name: String) -> BIColumn {
    guard let column = BIView.topItemsByHour.columns.first(where: { $0.name == name }) else {
      preconditionFailure(name)
    }
    return column
  }

  private static let oid = column("geographical_location_oid")
  private static let item = column("item_name")
  private static let count = column("item_count")
  private static let rank = column("item_rank")
  private static func total(_ number: Int = 1, _ name: String = "total") -> BIColumn {
    BIColumn(computed: number, name: name, type: .int64, isNullable: true)
  }
  private static let rows = BIColumn(computed: 1, name: "n", type: .int64)
  private static let isFirst = BIQuery.Step.filter(.compare(.equal, .column(rank), .value(.int64(1))))
  private static let key = BIView.topItemsByHour.key

  @Test(
    "transformations, their order, and what is left to be shown",
    arguments: [
      ("identity", [], BIView.topItemsByHour.columns, key),
      ("filter(item_rank eq 1)", [isFirst], BIView.topItemsByHour.columns, key),
      ("aggregate($count as n)", [.group(by: [], [BIAggregate(countAs: rows)])], [rows], []),
      ("groupby((item_name))", [.group(by: [item], [])], [item], [item]),
      (
        "filter(item_rank eq 1)/groupby((geographical_location_oid,item_name),aggregate(item_count with sum as total))",
        [isFirst, .group(by: [oid, item], [BIAggregate(.sum, of: count, as: total())])],
        [oid, item, total()], [oid, item]
      ),
      (
        "groupby((item_name),aggregate(item_count with sum as total))/topcount(5,total)",
        [
          .group(by: [item], [BIAggregate(.sum, of: count, as: total())]),
          .top(5, by: total(), within: [], key: [item]),
        ],
        [item, total()], [total(), item]
      ),
      (
        "groupby((geographical_location_oid),topcount(3,item_count))",
        [.top(3, by: count, within: [oid], key: key)], BIView.topItemsByHour.columns,
        [oid, count] + key.dropFirst()
      ),
      (
        "groupby((item_name),aggregate($count as n))/filter(n gt 2)/aggregate(n with max as m)",
        [
          .group(by: [item], [BIAggregate(countAs: rows)]),
          .filter(.compare(.greater, .column(rows), .value(.int64(2)))),
          .group(by: [], [BIAggregate(.max, of: rows, as: total(2, "m"))]),
        ], [total(2, "m")], []
      ),
    ] as [(String, [BIQuery.Step], [BIColumn], [BIColumn])]
  )
  func steps(text: String, steps: [BIQuery.Step], columns: [BIColumn], order: [BIColumn]) throws {
    let query = try TestOData().query("/odata/v4/TopItemsByHour?$apply=" + text)
    #expect(query.steps == steps)
    #expect(query.columns == columns)
    #expect(query.order.map(\.column) == order)
  }

  @Test("other options come behind it, and see its names")
  func behind() throws {
    let asking = TestOData(TestOData.rows(2))
    let target =
      "/odata/v4/TopItems?$apply=groupby((item_name),aggregate(item_count with sum as total))"
      + "&$filter=total gt 5&$orderby=total desc&$top=3&$count=true"
    let query = try asking.query(target)
    #expect(query.steps.count == 2)
    #expect(query.order.map(\.column.name) == ["total", "item_name"])
    let json = try asking.answer(target).json()
    #expect(json["@odata.context"]?.string?.hasSuffix("$metadata#TopItems(item_name,total)") == true)
    #expect(json["value"]?[0]?.object?.keys.sorted() == ["item_name", "total"])
    let gone = try asking.answer("/odata/v4/TopItems?$apply=groupby((item_name))&$select=item_count")
    #expect(gone.response.status == .badRequest)
  }

  @Test(
    "what is wrong is a 400, what is not done a 501",
    arguments: [
      ("", 400), ("filter", 400), ("filter(item_rank eq 1", 400), ("groupby(item_name)", 400),
      ("groupby(())", 400),
      ("aggregate(item_count with sum)", 400), ("aggregate(item_count as x)", 400),
      ("aggregate(item_name with sum as x)", 400),
      ("aggregate(geographical_location_oid with sum as x)", 400),
      ("aggregate(item_count with total as x)", 400),
      ("aggregate($count as a,$count as a)", 400),
      ("groupby((item_name),aggregate($count as item_name))", 400),
      ("aggregate($count as a.b)", 400), ("topcount(0,item_count)", 400), ("topcount(x,item_count)", 400),
      ("topcount(5,nothing)", 400), ("nonsense(1)", 400), ("identity/", 400), ("identity identity", 400),
      ("aggregate(item_count with average as x)", 501), ("bottomcount(5,item_count)", 501),
      ("concat(identity,identity)", 501),
      ("groupby((item_name),filter(item_rank eq 1))", 501), ("compute(item_count add 1 as x)", 501),
      ("groupby((item_name),aggregate($count as n)/topcount(1,n))", 501),
    ]
  )
  func errors(text: String, status: Int) throws {
    let asking = TestOData()
    let answer = try asking.answer("/odata/v4/TopItems?$apply=" + text)
    #expect(answer.response.status.rawValue == status, "\(answer.text)")
    #expect(try answer.json()["error"]?["target"] == .string("$apply"))
    #expect(asking.queries.all.isEmpty)
  }

  @Test("the number of transformations and aggregates is limited")
  func limits() throws {
    let many = Array(repeating: "filter(true)", count: 17).joined(separator: "/")
    #expect(try TestOData().answer("/odata/v4/TopItems?$apply=" + many).response.status == .badRequest)
    let aggregates = (0..<33).map { "$count as n\($0)" }.joined(separator: ",")
    #expect(
      try TestOData().answer("/odata/v4/TopItems?$apply=aggregate(\(aggregates))").response.status
        == .badRequest
    )
  }
}
