import SeededRandom

import ContextGear

/// Small models, workloads and clusters, generated from a seed.
enum SmallCases {
  static func shape(layers: Int, firstAdapted: Int = 0) -> ModelShape {
    ModelShape(
      layers: layers, hidden: 64, heads: 4, keyValueHeads: 2, headDimension: 16, feedForward: 128,
      vocabulary: 512, rank: 8, firstAdapted: firstAdapted)
  }

  static func workload(passes: Int = 2, samples: Int = 4, refined: Int = 2) -> Workload {
    Workload(
      forwardOnly: (0..<passes).map {
        Workload.Pass(task: "p\($0)", tokens: 100 + 20 * Double($0), labels: 12)
      }, trained: Workload.Pass(task: "t", tokens: 120, labels: 8), samples: samples, trainedColumns: 4,
      refinedColumns: refined)
  }

  /// A device with times proportional to the tokens, plus a fixed part.
  static func device(_ name: String, forward: Double, fixed: Double = 0, memory: Int = 1 << 40) -> Device {
    Device(
      name: name, memory: memory,
      speed: .measured(
        MeasuredTimes(
          layer: [10, 1000].map {
            MeasuredTimes.Point(
              tokens: $0, forward: fixed + forward * Double($0), backward: fixed + 2 * forward * Double($0))
          }, head: [MeasuredTimes.Point(tokens: 10, forward: forward * 10, backward: forward * 10)],
          updatePerLayer: fixed)))
  }

  enum Wires: CaseIterable { case fast, slow, shared, pairs }

  static func cluster(_ count: Int, seed: UInt64, wires: Wires, twins: Bool = false) -> Cluster {
    var generator = SeededGenerator(seed: seed)
    let devices = (0..<count).map { index in
      let forward = (1 + Double(Int(generator.unit() * 4))) * 1e-5
      return device("d\(index)", forward: twins ? 2e-5 : forward, fixed: 1e-4)
    }
    var links: [Link] = []
    if wires == .pairs {
      for a in 0..<count {
        for b in 0..<count where a != b {
          links.append(
            Link(
              from: "d\(a)", to: "d\(b)", directed: true, latency: generator.unit() * 1e-3,
              bandwidth: 1e6 * (1 + 20 * generator.unit())))
        }
      }
    }
    let network = Network(
      name: "net", shared: wires == .shared, latency: wires == .fast ? 1e-5 : 1e-3,
      bandwidth: wires == .fast ? 1e9 : 5e6)
    return Cluster(
      name: "small", devices: devices, links: links, networks: wires == .pairs ? [] : [network])
  }
}
