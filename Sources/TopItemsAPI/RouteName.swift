public import HTTP

extension TopItemsAPI {
  /// What requests of this kind are called in metrics and logs: the path of their route, or `other`, as clients may
  /// ask for anything.
  public func routeName(of request: Request) -> String {
    let path = request.target.decodedPath
    return routes[path] == nil ? "other" : path
  }
}
