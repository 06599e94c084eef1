/// The routes of messages between devices.
package struct Routes: Sendable {
  /// The route from one device to another, in one direction.
  struct Route: Hashable {
    /// Seconds.
    var latency: Double
    /// Bytes/s.
    var bandwidth: Double
    /// The index of the shared network it crosses; -1 for none.
    var medium: Int
  }

  /// The number of networks, shared and switched.
  let networkCount: Int
  let deviceCount: Int
  private let networks: [Network]
  private let links: [Int: Route]
  /// For each device the indices of its networks, in file order.
  private let memberships: [[Int]]
  /// The routes of all pairs of a small cluster; empty for a large one.
  private var table: [Route?] = []

  package init(_ cluster: Cluster) {
    let count = cluster.devices.count
    let place = Dictionary(
      cluster.devices.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    var links: [Int: Route] = [:]
    for link in cluster.links {
      guard let a = place[link.from], let b = place[link.to] else { continue }
      let route = Route(latency: link.latency, bandwidth: link.bandwidth, medium: -1)
      links[a * count + b] = route
      if !link.directed { links[b * count + a] = route }
    }
    var memberships = [[Int]](repeating: [], count: count)
    for (index, network) in cluster.networks.enumerated() {
      let members = network.devices.isEmpty ? Array(0..<count) : network.devices.compactMap { place[$0] }
      for member in members { memberships[member].append(index) }
    }
    self.links = links
    self.memberships = memberships
    networks = cluster.networks
    networkCount = cluster.networks.count
    deviceCount = count
    if count <= 64 {
      table = (0..<count * count).map { find($0 / count, $0 % count) }
    }
  }

  /// The route from `a` to `b`: their own link if there is one, else the first network that contains both.
  func route(_ a: Int, _ b: Int) -> Route? {
    table.isEmpty ? find(a, b) : table[a * deviceCount + b]
  }

  private func find(_ a: Int, _ b: Int) -> Route? {
    if let link = links[a * deviceCount + b] { return link }
    for index in memberships[a] where memberships[b].contains(index) {
      let network = networks[index]
      return Route(
        latency: network.latency, bandwidth: network.bandwidth, medium: network.shared ? index : -1)
    }
    return nil
  }
}
