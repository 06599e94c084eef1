import ClusterLaunch
import ContextGear
import InputErrors

/// Names and addresses of the devices of a job's ranks.
package enum ProfiledPlaces {
  /// A host's name, with a number where it has several slots.
  package static func places(_ hosts: Hosts, ranks: Int) throws(Refusal) -> [Hosts.Place] {
    let machines = (0..<min(ranks, hosts.slots)).map { hosts.host(ofRank: $0) }
    let names = numbered(machines.map(\.name))
    for (index, name) in names.enumerated() where names[..<index].contains(name) {
      throw Refusal(
        "the hosts", "two devices would be named '\(name)'",
        "rename a host whose name is another host's name with a slot number")
    }
    return zip(names, machines).map {
      Hosts.Place(name: $0, address: $1.address, user: $1.user)
    }
  }

  /// From the machines' own names.
  package static func places(machines: [String]) -> [Hosts.Place] {
    zip(numbered(machines), machines).map { Hosts.Place(name: $0, address: $1) }
  }

  private static func numbered(_ names: [String]) -> [String] {
    names.enumerated().map { index, name in
      guard names.count(where: { $0 == name }) > 1 else { return name }
      return "\(name)-\(names[...index].count { $0 == name })"
    }
  }
}

extension Cluster {
  /// What starts one rank for each of some devices, and the device of each rank.
  ///
  /// - Parameter chosen: places in `devices`; by default all of them.
  /// - Throws: an error that names a device without an address.
  package func hosts(of chosen: [Int]? = nil) throws -> (hosts: Hosts, devices: [Int]) {
    let chosen = chosen ?? Array(devices.indices)
    let found = try Hosts.holding(
      try places(of: chosen), network: launch?.network, remoteShell: launch?.remoteShell)
    return (found.hosts, found.order.map { chosen[$0] })
  }

  /// Where the devices are; by default all of them.
  ///
  /// - Throws: an error that names a device without an address.
  package func places(of chosen: [Int]? = nil) throws -> [Hosts.Place] {
    try (chosen ?? Array(devices.indices)).map { index throws(Refusal) in
      let device = devices[index]
      guard let host = device.host else {
        throw Refusal(
          "device \(device.name)", "has no address", "give it a host, or profile the cluster")
      }
      return Hosts.Place(name: device.name, address: host, user: device.user)
    }
  }
}
