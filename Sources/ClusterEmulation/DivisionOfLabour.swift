/// What emulates each part of the file's description, as text.
package struct DivisionOfLabour: Sendable, Hashable {
  /// Where the ranks run if hosts cannot be namespaces, and why.
  package private(set) var place: String?
  /// What the kernel emulates.
  package private(set) var kernel: [String] = []
  /// What programs that apply the table of links emulate.
  package private(set) var transport: [String] = []
  /// What is not emulated, and why.
  package private(set) var nobody: [String] = []

  init(_ plan: EmulationPlan) {
    let (hosts, features) = (plan.cluster.hosts, plan.features)
    let hasBandwidth = hosts.contains { $0.link.bandwidth != nil }
    let hasDelay = hosts.contains { $0.link.delay > 0 }
    let hasLoss = hosts.contains { $0.link.loss > 0 }
    let limits = [
      (hosts.contains { $0.cpu != nil }, "CPU shares", features.cpu),
      (hosts.contains { $0.memory != nil }, "memory limits", features.memory),
    ]
    if let obstacle = features.namespaceObstacle {
      if hasBandwidth { transport.append("bandwidth") }
      if hasDelay { transport.append("delay") }
      place = "every rank runs on this machine, because \(obstacle)"
      if hasLoss { nobody.append("loss") }
      for (isWanted, what, _) in limits where isWanted { nobody.append(what) }
      return
    }
    kernel.append("hosts as network namespaces")
    if hasBandwidth {
      if features.limitsBandwidth { kernel.append("bandwidth (tbf)") } else { transport.append("bandwidth") }
    }
    if hasDelay { if features.hasNetem { kernel.append("delay (netem)") } else { transport.append("delay") } }
    if hasLoss {
      if features.hasNetem {
        kernel.append("loss (netem)")
      } else {
        nobody.append("loss: this kernel has no netem")
      }
    }
    for (isWanted, what, cgroups) in limits where isWanted {
      if let cgroups {
        kernel.append("\(what) (\(cgroups.title))")
      } else {
        nobody.append("\(what): no control group for them can be created here")
      }
    }
  }

  /// One line per emulator, and one for what is not emulated.
  package var lines: [String] {
    (place.map { [$0] } ?? [])
      + [("kernel", kernel), ("transport", transport), ("not emulated", nobody)]
      .filter { !$0.1.isEmpty }.map { "\($0.0): \($0.1.joined(separator: "; "))" }
  }
}

extension EmulationPlan {
  package var labour: DivisionOfLabour { DivisionOfLabour(self) }
}
