public import HTTP
import OData

extension TopItemsAPI {
  /// What requests of this kind are called in metrics and logs: the path of their route, or that of the service for all
  /// of OData; nil for what the API does not know, as clients may ask for anything.
  public func routeName(of request: Request) -> String? {
    let path = request.target.decodedPath
    if routes[path] != nil { return path }
    return odata != nil && ODataService.owns(path) ? ODataService.root : nil
  }
}
