/// How messages get from device to device.
package struct Routes: Sendable {
  /// One way.
  struct Route: Hashable {
    /// Seconds.
    var latency: Double
    /// Bytes/s.
    var bandwidth: Double
    /// The shared network it crosses; -1 for none.
    var medium: Int
  }

  /// Shared and switched networks.
  let networkCount: Int
  let deviceCount: Int
  private let networks: [Network]
  private let links: [Int: Route]
  /// The networks each device is in, in file order.
  private let memberships: [[Int]]
  /// All pairs of a small cluster.
  private var table: [Route?] = []

  /// Reads the cluster's links and networks.
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

  /// The way from `a` to `b`: a link of their own, else the first network that both are in.
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
