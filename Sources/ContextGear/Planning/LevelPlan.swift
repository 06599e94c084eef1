/// Tasks of one level that train side by side on disjoint devices. Lanes that share a channel each get an
/// equal part of it.
package struct LevelPlan: Codable, Hashable, Sendable {
  /// A group of tasks that train one after the other on the lane's devices.
  package struct Lane: Codable, Hashable, Sendable {
    /// The devices' indices in the cluster.
    package var devices: [Int]
    /// One plan per task; device indices are relative to the lane.
    package var phases: [PlannedPhase]
    /// Seconds for one step of each task.
    package var time: Double { phases.reduce(0) { $0 + $1.stepTime } }
  }

  package var lanes: [Lane]
  /// Seconds for one step of every task, one task after the other on all devices.
  package var oneAfterTheOther: Double
  /// Seconds for one step of every task side by side: the slowest lane.
  package var sideBySide: Double

  package var text: String {
    let lanes = lanes.map { lane in
      lane.phases.map(\.workload.trained.task).joined(separator: ", then ") + " on "
        + lane.phases.flatMap(\.devices).map(\.name).joined(separator: ", ")
    }
    return "side by side: \(lanes.joined(separator: "; "))\n  a step of each takes "
      + "\(Figures.seconds(sideBySide)) instead of \(Figures.seconds(oneAfterTheOther)) one after the other"
  }
}

extension Planner {
  /// Finds a split of the devices on which groups of tasks train side by side faster than one task after the
  /// other on all devices. The groups must be independent, like those of `PhaseSchedule.independentGroups`;
  /// then the result is the same.
  ///
  /// If there are at most 256 splits, all are tried. Otherwise devices, fastest first, go to the group with
  /// the most work for its speed.
  ///
  /// - Parameters:
  ///   - groups: for each group, the steps of its tasks.
  ///   - oneAfterTheOther: seconds for one step of every task on all devices.
  /// - Returns: `nil` if no split is faster.
  package func planLevel(_ groups: [[Workload]], oneAfterTheOther: Double) -> LevelPlan? {
    let count = cluster.devices.count
    guard groups.count > 1, count >= groups.count else { return nil }
    var best: LevelPlan?
    var known: [[Int]: LevelPlan.Lane?] = [:]
    for split in splits(groups) {
      var lanes: [LevelPlan.Lane] = []
      let parts = groups.indices.map { index in (0..<count).filter { split[$0] == index } }
      let crowds = crowds(parts)
      for (index, group) in groups.enumerated() {
        let places = parts[index]
        let key = [index] + crowds + places
        let lane = known[key] ?? self.lane(group, on: places, crowds: crowds)
        known[key] = .some(lane)
        guard let lane else { break }
        lanes.append(lane)
      }
      guard lanes.count == groups.count, let slowest = lanes.map(\.time).max(),
        slowest < best?.sideBySide ?? oneAfterTheOther
      else { continue }
      best = LevelPlan(lanes: lanes, oneAfterTheOther: oneAfterTheOther, sideBySide: slowest)
    }
    return best
  }

  /// For each network, the number of lanes that send over its one channel; 1 if every device has its own
  /// port.
  private func crowds(_ parts: [[Int]]) -> [Int] {
    cluster.networks.map { network in
      guard network.shared else { return 1 }
      let members = Set(network.devices)
      return max(
        1,
        parts.count { places in
          places.count { members.isEmpty || members.contains(cluster.devices[$0].name) } > 1
        })
    }
  }

  private func lane(_ group: [Workload], on places: [Int], crowds: [Int]) -> LevelPlan.Lane? {
    guard !places.isEmpty else { return nil }
    var all = cluster
    for (index, lanes) in crowds.enumerated() { all.networks[index].bandwidth /= Double(lanes) }
    var planner = Planner(all.subset(places), shape: shape)
    planner.mayReplicate = mayReplicate
    // The other lanes' devices compute at the same time.
    for index in cluster.devices.indices where !places.contains(index) {
      if let machine = cluster.devices[index].machine {
        planner.simulator.busyBeside[machine, default: 0] += 1
      }
    }
    let phases = group.compactMap { try? planner.plan($0) }
    return phases.count == group.count ? LevelPlan.Lane(devices: places, phases: phases) : nil
  }

  /// The splits to try: for each device, the index of its group.
  private func splits(_ groups: [[Workload]]) -> [[Int]] {
    let count = cluster.devices.count
    var number = 1
    for _ in 0..<count where number <= 256 { number *= groups.count }
    if number <= 256 {
      return (0..<number).map { code in
        var rest = code
        return (0..<count).map { _ in
          defer { rest /= groups.count }
          return rest % groups.count
        }
      }
    }
    let work = groups.map { $0.reduce(0) { $0 + workBound($1) } }
    var speeds = [Double](repeating: 0, count: groups.count)
    var split = [Int](repeating: 0, count: count)
    for device in ranking(groups[0][0]) {
      let next = groups.indices.min { speeds[$0] / work[$0] < speeds[$1] / work[$1] } ?? 0
      split[device] = next
      speeds[next] += speed(device, groups[0][0])
    }
    return [split]
  }
}
