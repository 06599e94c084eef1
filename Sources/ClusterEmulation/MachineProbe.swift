import Foundation
import InputErrors

extension Machine {
  /// Finds out what this machine can do by trying it in a temporary namespace.
  package func features() -> MachineFeatures {
    guard isRoot else {
      return MachineFeatures(namespaceObstacle: "only root can create network namespaces")
    }
    for tool in ["ip", "tc", "nsenter", "unshare", "hostname"] where program(tool) == nil {
      return MachineFeatures(
        namespaceObstacle: "\(tool) is not installed (on Debian: iproute2, util-linux, hostname)")
    }
    let name = EmulationNames(owner: getpid()).host("probe")
    func can(_ line: String) -> Bool { (try? perform(.run(line))) != nil }
    defer { _ = can("ip netns del \(name)") }
    var features = MachineFeatures(namespaceObstacle: nil)
    do throws(Refusal) {
      try perform(.run("ip netns add \(name)"))
      try perform(.run("ip -n \(name) link add bridge0 type bridge"))
      try perform(.run("ip -n \(name) link add veth0 type veth peer name veth1"))
    } catch {
      return MachineFeatures(namespaceObstacle: "\(error.place ?? "a command") failed: \(error.problem)")
    }
    features.limitsBandwidth = can(
      "tc -n \(name) qdisc add dev veth0 root handle 1: tbf rate 8000000bit burst 4000 latency 200ms")
    features.hasNetem = can(
      "tc -n \(name) qdisc add dev veth0 \(features.limitsBandwidth ? "parent 1:1" : "root") handle 10: "
        + "netem delay 1ms loss 1%")
    features.cpu = cgroups(.cpu, name)
    features.memory = cgroups(.memory, name)
    return features
  }

  /// The hierarchy in which a new group has the controller's limit.
  private func cgroups(_ controller: Cgroups.Controller, _ name: String) -> Cgroups? {
    Cgroups.candidates(controller, mounts: text("/proc/mounts")).first { candidate in
      let group = candidate.group(name)
      guard mkdir(group, 0o755) == 0 else { return false }
      defer { rmdir(group) }
      return access("\(group)/\(candidate.limitFile)", W_OK) == 0
    }
  }

  /// A network for the hosts that overlaps no network of this machine's interfaces.
  func subnet(for cluster: EmulatedCluster) throws(Refusal) -> Subnet {
    let used = try networks()
    func isFree(_ subnet: Subnet) -> Bool { !used.contains { $0.overlaps(subnet) } }
    if let wanted = cluster.subnet {
      guard isFree(wanted) else {
        throw Refusal(
          "subnet \(wanted)", "an interface of this machine is already in it",
          "give another private network, or leave the field out")
      }
      return wanted
    }
    guard let free = Subnet.defaults.first(where: isFree) else {
      throw Refusal(
        "subnet", "every network 10.73.N.0/24 is in use on this machine", "give a free one in the file")
    }
    return free
  }
}
