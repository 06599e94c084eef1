import Foundation
import TextTables

/// Simulated experiments on described Jetson clusters.
package enum GearExperiments {
  /// Clusters of two, three and four modules, homogeneous and heterogeneous.
  package static let clusters: [[String]] = [
    ["orin-nx", "orin-nx"], ["agx-orin", "orin-nx"], ["orin-nx", "orin-nano"],
    ["orin-nx", "orin-nx", "orin-nx"], ["agx-orin", "orin-nx", "orin-nano"],
    ["orin-nx", "orin-nano", "xavier-nx"], ["agx-orin", "orin-nx", "orin-nano", "xavier-nx"],
    ["orin-nx", "orin-nx", "orin-nano", "orin-nano"],
    ["orin-nano", "orin-nano", "orin-nano", "orin-nano"],
  ]

  /// The result for one cluster, medium and phase.
  package struct Row: Codable, Sendable {
    /// The modules' kinds.
    package var devices: [String]
    /// The network's kind.
    package var medium: String
    /// The task that trains.
    package var task: String
    /// The plan's seconds per step; `nil` if nothing fits.
    package var stepTime: Double?
    /// The plan's `k`, samples per micro-batch.
    package var microBatch: Int?
    /// The kind of plan, as text.
    package var name: String
    /// The baselines that fit.
    package var baselines: [PlannedPhase.BaselineTime]
    /// The saving as a share of the best baseline's time; `nil` if no baseline fits.
    package var saving: Double?
    /// Seconds per step if plans may also replicate the model.
    package var replicated: Double?
    /// Seconds per step with one part of ContextGear left out, by `Ablation`; `full` is the time with all
    /// parts.
    package var ablations: [String: Double]
  }

  /// A cluster of these modules on one network.
  package static func cluster(_ kinds: [String], medium: String) -> Cluster {
    Cluster(
      name: "\(kinds.joined(separator: " + ")), \(medium)",
      devices: kinds.enumerated().compactMap { BuiltIn.device("\($1)-\($0 + 1)", kind: $1) },
      networks: [BuiltIn.network(medium)].compactMap { $0 })
  }

  /// Plans every phase on every cluster and medium, as one pipeline and, for comparison, with replicas.
  ///
  /// - Parameter ablations: whether to plan without each part of ContextGear, too.
  package static func run(_ workloads: [Workload], shape: ModelShape, ablations: Bool) -> [Row] {
    clusters.flatMap { kinds in
      BuiltIn.media.flatMap { medium in
        workloads.map { workload in
          var planner = Planner(cluster(kinds, medium: medium.kind), shape: shape)
          planner.mayReplicate = false
          let planned = try? planner.plan(workload)
          planner.mayReplicate = true
          let replicated = planner.planReplicas(workload)?.stepTime
          var parts: [String: Double] = [:]
          if ablations {
            parts["full"] = planner.stepTime(workload, without: nil)
            for part in Ablation.allCases {
              parts[part.rawValue] = planner.stepTime(workload, without: part)
            }
          }
          return Row(
            devices: kinds, medium: medium.kind, task: workload.trained.task, stepTime: planned?.stepTime,
            microBatch: planned?.plan.pipelines[0].microBatch, name: planned?.name ?? "nothing fits",
            baselines: planned?.baselines ?? [],
            saving: planned.flatMap { $0.baselines.isEmpty ? nil : $0.saving },
            replicated: [planned?.stepTime, replicated].compactMap { $0 }.min(), ablations: parts)
        }
      }
    }
  }

  /// The median; `nil` if there are no values.
  package static func median(_ values: [Double]) -> Double? {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return nil }
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }

  /// A table of step times and `k`, then the median savings.
  package static func scalingText(_ rows: [Row]) -> String {
    var table = [
      ["devices", "link", "task", "ContextGear", "or replicas"] + Baseline.allCases.map(\.title) + [
        "saving %"
      ]
    ]
    for row in rows {
      func cell(_ time: Double?, _ k: Int?) -> String {
        time.map { "\(Figures.seconds($0)) (\(k ?? 0))" } ?? "-"
      }
      table.append(
        [
          row.devices.joined(separator: "+"), row.medium, row.task, cell(row.stepTime, row.microBatch),
          row.replicated.map(Figures.seconds) ?? "-",
        ]
          + Baseline.allCases.map { kind in
            let found = row.baselines.first { $0.baseline == kind }
            return cell(found?.stepTime, found?.microBatch)
          } + [row.saving.map(Figures.percent) ?? "-"])
    }
    var lines = ["Seconds of one optimiser step (best k in brackets).", ""]
    lines += [TextTable.aligned(table, right: Set(3...10)), ""]
    func summary(_ name: String, _ rows: [Row]) {
      let savings = rows.compactMap(\.saving)
      guard let median = median(savings), let least = savings.min(), let most = savings.max() else { return }
      lines.append(
        "\(name): median saving \(Figures.percent(median)) %, from \(Figures.percent(least)) to "
          + "\(Figures.percent(most)) % over \(savings.count) settings")
    }
    for medium in BuiltIn.media.map(\.kind) { summary(medium, rows.filter { $0.medium == medium }) }
    for count in 2...4 { summary("\(count) devices", rows.filter { $0.devices.count == count }) }
    summary("all", rows)
    let gains = rows.compactMap { row in
      row.stepTime.flatMap { own in row.replicated.map { 1 - $0 / own } }
    }
    if let median = median(gains), let most = gains.max() {
      lines.append(
        "replicas of the model, if memory allows them: median \(Figures.percent(median)) % less again, at "
          + "most \(Figures.percent(most)) %, faster in \(gains.count { $0 > 0 }) of \(gains.count) settings")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A table of step times without each part, then the median cost of leaving it out.
  package static func ablationText(_ rows: [Row]) -> String {
    var table = [["devices", "link", "task", "full"] + Ablation.allCases.map(\.title)]
    for row in rows {
      table.append(
        [row.devices.joined(separator: "+"), row.medium, row.task]
          + (["full"] + Ablation.allCases.map(\.rawValue)).map {
            row.ablations[$0].map(Figures.seconds) ?? "-"
          })
    }
    var lines = ["Seconds of one optimiser step, ContextGear's own plans.", ""]
    lines += [TextTable.aligned(table, right: Set(3...7)), ""]
    for part in Ablation.allCases {
      let costs = rows.compactMap { row in
        row.ablations["full"].flatMap { full in row.ablations[part.rawValue].map { $0 / full - 1 } }
      }
      guard let median = median(costs), let most = costs.max() else { continue }
      lines.append(
        "\(part.title): median \(Figures.percent(median)) % more time, at most \(Figures.percent(most)) %, "
          + "over \(costs.count) settings")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
