import Transport

/// How a cluster is emulated on a machine: what the kernel does, what the transport does, and the steps that
/// set it up.
package struct EmulationPlan: Sendable {
  /// The hosts.
  package let cluster: EmulatedCluster
  /// What the machine can do.
  package let features: MachineFeatures
  /// The network; `nil` if the hosts are not namespaces.
  package let subnet: Subnet?
  let names: EmulationNames

  /// - Parameters:
  ///   - cluster: the hosts.
  ///   - features: what the machine can do.
  ///   - subnet: a network that is large enough for the hosts and not in use.
  ///   - owner: the ID of the process that takes the cluster down again.
  package init(_ cluster: EmulatedCluster, on features: MachineFeatures, subnet: Subnet, owner: Int32) {
    (self.cluster, self.features) = (cluster, features)
    self.subnet = features.namespaceObstacle == nil ? subnet : nil
    names = EmulationNames(owner: owner)
  }

  /// Whether each host has its own network, processor share and name.
  package var usesNamespaces: Bool { features.namespaceObstacle == nil }

  /// The steps that set the cluster up, in order. Taking it down needs no plan: see `Remains`.
  package var setUp: [Step] {
    guard let subnet else { return [] }
    let bridge = names.emulation
    var steps: [Step] = [
      .run("ip link add \(bridge) type bridge"),
      .run("ip addr add \(subnet.bridge)/\(subnet.bits) dev \(bridge)"),
      .run("ip link set \(bridge) up"),
    ]
    for (index, host) in cluster.hosts.enumerated() {
      let (inside, port) = (names.host(host.name), names.port(index))
      steps += [
        .run("ip netns add \(inside)"),
        .run("ip link add \(port) type veth peer name eth0 netns \(inside)"),
        .run("ip link set \(port) master \(bridge) up"),
        .run("ip -n \(inside) addr add \(subnet.address(index))/\(subnet.bits) dev eth0"),
        .run("ip -n \(inside) link set lo up"),
        .run("ip -n \(inside) link set eth0 up"),
      ]
      steps += shaping("tc -n \(inside)", "eth0", host.link) + shaping("tc", port, host.link)
      if let cores = host.cpu, let cpu = features.cpu { steps += cpu.limit(inside, cores: cores) }
      if let mebibytes = host.memory, let memory = features.memory {
        steps += memory.limit(inside, mebibytes: mebibytes)
      }
    }
    return steps
  }

  /// The control groups that a host's processes join.
  package func groups(of host: EmulatedCluster.Host) -> [String] {
    let name = names.host(host.name)
    return [host.cpu == nil ? nil : features.cpu, host.memory == nil ? nil : features.memory]
      .compactMap { $0?.group(name) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  private func shaping(_ tc: String, _ device: String, _ link: EmulatedCluster.Link) -> [Step] {
    var steps: [Step] = []
    if let rate = link.bytesPerSecond, features.limitsBandwidth {
      // The contents of the bucket pass at once: with 16 kB, a message of that length would take no time.
      let burst = max(4000, Int(rate / 4000))
      steps.append(
        .run(
          "\(tc) qdisc add dev \(device) root handle 1: tbf rate \(Int(rate * 8))bit burst \(burst) latency 200ms"
        ))
    }
    if features.hasNetem, link.delay > 0 || link.loss > 0 {
      let parent = steps.isEmpty ? "root" : "parent 1:1"
      let loss = link.loss > 0 ? " loss \(text(link.loss * 100))%" : ""
      steps.append(
        .run(
          "\(tc) qdisc add dev \(device) \(parent) handle 10: netem delay \(text(link.delay))ms\(loss) limit 20000"
        ))
    }
    return steps
  }

  private func text(_ number: Double) -> String {
    number == number.rounded() ? "\(Int(number))" : "\((number * 10_000).rounded() / 10_000)"
  }

  /// What the transport has to emulate because the kernel does not, by rank; `nil` if there is nothing.
  package var linkTable: LinkTable? {
    let pairs = cluster.hosts.indices.flatMap { from in
      cluster.hosts.indices.filter { $0 != from }.map { (from, $0) }
    }
    let links = pairs.map { from, to in
      let path = cluster.path(from: from, to: to)
      let isLimited = usesNamespaces && features.limitsBandwidth
      let isDelayed = usesNamespaces && features.hasNetem
      return LinkTable.Link(
        from: from, to: to, bandwidth: isLimited ? nil : path.bytesPerSecond,
        latency: isDelayed ? 0 : path.delay / 1000)
    }.filter { $0.bandwidth != nil || $0.latency > 0 }
    return links.isEmpty ? nil : LinkTable(links: links, sharedUplink: true)
  }
}
