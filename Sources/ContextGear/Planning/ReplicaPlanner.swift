/// Plans for many devices: replicated pipelines that share a batch.
extension Cluster {
  /// Some of the devices, with their links and networks.
  package func subset(_ places: [Int]) -> Cluster {
    let chosen = places.map { devices[$0] }
    let names = Set(chosen.map(\.name))
    return Cluster(
      name: name, measured: measured, devices: chosen,
      links: links.filter { names.contains($0.from) && names.contains($0.to) },
      networks: networks.compactMap { network in
        var copy = network
        copy.devices = network.devices.filter(names.contains)
        return network.devices.isEmpty || copy.devices.count > 1 ? copy : nil
      }, launch: launch)
  }
}

extension Planner {
  /// The properties that make pods alike. Pods of one kind share a plan.
  private struct PodKind: Hashable {
    let speeds: [Device.Speed]
    let memory: [Int]
    let routes: [Routes.Route?]
    let samples: Int
  }

  /// A heuristic. The devices, fastest first, are dealt into equal pods. Each pod is planned exactly (with
  /// little effort) for its part of the batch, and the pods' gradients are summed up a binary tree.
  /// Simulation picks the best size and number of pods; numbers are tried by repeated halving. `nil` if no
  /// number gives a plan that fits.
  func planReplicas(_ workload: Workload) -> PricedPlan? {
    let ranking = ranking(workload)
    let most = mayReplicate ? workload.samples : 1
    // For few devices, the search for one pipeline has already covered a single pod.
    let least = ranking.count > Self.exactLimit ? 1 : 2
    var known: [PodKind: Plan?] = [:]
    var best: PricedPlan?
    for size in 1...min(Self.exactLimit, ranking.count) {
      var count = min(ranking.count / size, most)
      // Fewer pods leave devices unused, but have fewer gradients to sum.
      while count >= least {
        if let plan = pods(ranking, count: count, size: size, workload, &known) {
          let time = stepTime(plan, workload)
          if time < best?.stepTime ?? .infinity { best = PricedPlan(plan: plan, stepTime: time) }
        }
        count /= 2
      }
    }
    return best
  }

  /// The devices' indices, fastest first.
  func ranking(_ workload: Workload) -> [Int] {
    let speeds = cluster.devices.indices.map { speed($0, workload) }
    return cluster.devices.indices.sorted { (speeds[$1], $0) < (speeds[$0], $1) }
  }

  /// Layers per second on the device alone.
  func speed(_ device: Int, _ workload: Workload) -> Double {
    let times = cluster.devices[device].layer(
      shape, tokens: workload.trained.tokens, context: workload.trained.tokens,
      columns: workload.trained.columns)
    return 1 / max(times.forward + times.backward, .leastNormalMagnitude)
  }

  private func pods(
    _ ranking: [Int], count: Int, size: Int, _ workload: Workload, _ known: inout [PodKind: Plan?]
  ) -> Plan? {
    // Dealt back and forth, so that pods are about equally fast.
    let members = (0..<count).map { pod in
      (0..<size).map { round in ranking[round * count + (round % 2 == 0 ? pod : count - 1 - pod)] }
    }
    let speeds = members.map { $0.reduce(0) { $0 + speed($1, workload) } }
    var samples = Self.proportional(workload.samples, to: speeds)
    // Equal pods get equal parts if the batch allows it.
    if Set(speeds).count == 1, workload.samples % count == 0 {
      samples = [Int](repeating: workload.samples / count, count: count)
    }
    var pipelines: [Plan.Pipeline] = []
    var order = Plan.Order.oneForwardOneBackward
    for (places, samples) in zip(members, samples) {
      let devices = places.map { cluster.devices[$0] }
      let kind = PodKind(
        speeds: devices.map(\.speed), memory: devices.map(\.memory),
        routes: places.flatMap { a in places.map { simulator.routes.route(a, $0) } }, samples: samples)
      if known[kind] == nil {
        var planner = Planner(cluster.subset(places), shape: shape)
        planner.effort = effort / 100
        known[kind] = PlanSearch(planner, workload.with(samples: samples)).run(below: .infinity).plan
      }
      guard let found = known[kind], var pipeline = found?.pipelines[0], let own = found?.order else {
        return nil
      }
      for s in pipeline.trained.indices { pipeline.trained[s].device = places[pipeline.trained[s].device] }
      for s in pipeline.forward.indices { pipeline.forward[s].device = places[pipeline.forward[s].device] }
      pipelines.append(pipeline)
      // One order for all: the deeper one, if a pod needs it and memory allows.
      if own == .eager { order = .eager }
    }
    let plan = Plan(order: order, overlap: workload.mayOverlap, pipelines: pipelines)
    if plan.fits(cluster.devices, shape: shape, workload: workload) { return plan }
    let shallow = Plan(order: .oneForwardOneBackward, overlap: plan.overlap, pipelines: pipelines)
    return shallow.fits(cluster.devices, shape: shape, workload: workload) ? shallow : nil
  }
}
