import CountStore

/// `/v1/top-items` in its formats: parameters → query → answer → bytes.
struct TopItemsEndpoint: Sendable {
  /// How the answer is laid out.
  enum Format {
    case page
    case records
  }

  var ask: @Sendable (TopItemsQuery) throws(CountStoreError) -> TopItems
  var maximumRows: Int
  var observe: Observe

  func answer(_ parameters: Parameters, as format: Format) throws(APIError) -> Answer.Outcome {
    let parameters = try TopItemsParameters(parameters, maximumRows: maximumRows)
    return .blocking { () throws(APIError) in
      let start = ContinuousClock.now
      let topItems = try count(parameters.query)
      let counted = ContinuousClock.now
      let json = TopItemsJSON(integers: parameters.integers)
      let body =
        switch format {
        case .page: json.page(topItems)
        case .records: json.records(topItems)
        }
      return Answer(
        body: body,
        isRevalidated: true,
        basis: Basis(topItems, to: parameters.query),
        timings: [("db", counted - start), ("json", ContinuousClock.now - counted)]
      )
    }
  }

  private func count(_ query: TopItemsQuery) throws(APIError) -> TopItems {
    do throws(CountStoreError) {
      return try ask(query)
    } catch {
      if error.trouble != nil { observe(.topItemsFailed(query, error)) }
      throw APIError(error)
    }
  }
}
