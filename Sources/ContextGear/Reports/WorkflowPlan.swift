import Foundation
import InputErrors
import SafeFiles
import TextTables

/// The plans of all phases of a workflow; the content of `plan.json`.
package struct WorkflowPlan: Codable, Hashable, Sendable {
  /// The workflow's name.
  package var workflow: String
  /// The SHA-256 of the workflow's canonical text, so that a plan is not run with another workflow.
  package var identity: String
  /// The cluster it was made for.
  package var cluster: Cluster
  /// The model's sizes.
  package var shape: ModelShape
  /// One plan per task, in training order.
  package var phases: [PlannedPhase]
  /// Levels whose tasks train faster side by side.
  package var levels: [LevelPlan]

  package init(
    workflow: String, identity: String, cluster: Cluster, shape: ModelShape, phases: [PlannedPhase],
    levels: [LevelPlan]
  ) {
    (self.workflow, self.identity, self.cluster, self.shape) = (workflow, identity, cluster, shape)
    (self.phases, self.levels) = (phases, levels)
  }

  /// Reads a `plan.json`.
  ///
  /// - Throws: `Refusal`, which names the file and the fix.
  package init(contentsOf path: String) throws(Refusal) {
    let data: Data
    do { data = try FileContents.read(URL(fileURLWithPath: path)) } catch {
      let remedy = error.kind == .missing ? "check the path" : error.remedy
      throw Refusal(path, error.problem, "\(remedy), or give a file that 'contexture plan --out' wrote")
    }
    let remedy = "make it again with 'contexture plan --out'"
    do {
      self = try JSONDecoder().decode(WorkflowPlan.self, from: data)
    } catch {
      throw Refusal(path, "is not a plan of this version", remedy)
    }
    let sideBySide = levels.flatMap { $0.lanes.flatMap(\.phases) }
    guard (phases + sideBySide).allSatisfy({ isSound($0) }) else {
      throw Refusal(path, "has numbers that no plan for its cluster and model has", remedy)
    }
  }

  /// Whether a phase's numbers, read from a file, are possible, so that they can be added and shown. Whether its
  /// plan can be executed is checked when a training begins.
  private func isSound(_ phase: PlannedPhase) -> Bool {
    let (devices, layers) = (cluster.devices.indices, 0...shape.layers)
    let routes = Set(phase.traffic.map { [$0.from, $0.to] })
    // Their sum is less than 2⁶³.
    let most = 0...(1 << 62) / max(phase.traffic.count, 1)
    func isTime(_ seconds: Double) -> Bool { (0...1e18).contains(seconds) }
    return phase.devices.count <= 2 * devices.count && phase.traffic.count == routes.count
      && phase.devices.allSatisfy {
        devices.contains($0.device) && layers.contains($0.first) && layers.contains($0.end)
          && $0.idle.isFinite && (0...1 << 60).contains($0.memory) && (0...1 << 60).contains($0.available)
      }
      && phase.traffic.allSatisfy {
        devices.contains($0.from) && devices.contains($0.to) && most.contains($0.bytes)
      }
      && isTime(phase.stepTime) && isTime(phase.trainedTime) && isTime(phase.forwardTime)
      && !phase.plan.pipelines.isEmpty
      && phase.plan.pipelines.allSatisfy { pipeline in
        !pipeline.trained.isEmpty && pipeline.samples > 0 && pipeline.microBatch > 0 && pipeline.shared >= 0
          && (pipeline.trained + pipeline.forward).allSatisfy {
            devices.contains($0.device) && layers.contains($0.first) && layers.contains($0.end)
              && $0.first < $0.end
          }
      }
  }

  /// The JSON of `plan.json`, with sorted keys.
  package func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }

  /// The plan as readable text.
  package var text: String {
    var paragraphs = [
      "\(workflow) on \(cluster.name): \(cluster.devices.count) devices, \(shape.layers) layers"
    ]
    paragraphs += phases.map(\.text)
    paragraphs += levels.map(\.text)
    if let unused { paragraphs.append(unused) }
    return paragraphs.joined(separator: "\n\n") + "\n"
  }

  /// The devices that no phase uses, starting with those that nothing connects to the others.
  private var unused: String? {
    let sideBySide = levels.flatMap { $0.lanes.flatMap { $0.phases } }
    let used = Set((phases + sideBySide).flatMap { $0.devices.map(\.name) })
    let devices = cluster.devices
    let left = devices.indices.filter { !used.contains(devices[$0].name) }
    if left.isEmpty { return nil }
    let routes = Simulator(cluster).routes
    func isJoined(_ index: Int) -> Bool {
      devices.indices.contains {
        used.contains(devices[$0].name) && routes.route($0, index) != nil && routes.route(index, $0) != nil
      }
    }
    let (joined, apart) = (left.filter(isJoined), left.filter { !isJoined($0) })
    func names(_ places: [Int]) -> String {
      places.prefix(16).map { devices[$0].name }.joined(separator: ", ")
        + (places.count > 16 ? " and \(places.count - 16) more" : "")
    }
    var lines: [String] = []
    if !apart.isEmpty {
      lines.append("Not used, because no link or network connects them to the others: \(names(apart))")
    }
    if !joined.isEmpty { lines.append("Not used by this plan: \(names(joined))") }
    return lines.joined(separator: "\n")
  }
}

extension PlannedPhase {
  /// The plan of one phase as text: its times, its devices and its baselines.
  package var text: String {
    let pipeline = plan.pipelines[0]
    var lines = [
      "\(workload.trained.task): a step of \(workload.samples) samples takes \(Figures.seconds(stepTime))"
        + " (\(name))",
      "  k = \(pipeline.microBatch)"
        + (workload.forwardOnly.isEmpty ? "" : String(format: ", ρ = %.2f", pipeline.share))
        + ", C_T = \(Figures.seconds(trainedTime)), C_F = \(Figures.seconds(forwardTime))",
      "  no plan below \(Figures.seconds(lowerBound)) (\(exact ? "every plan of one pipeline covered" : "bound")), gap "
        + Figures.percent(gap) + " %",
    ]
    var rows = [["device", "group", "layers", "idle %", "memory MB", "of MB"]]
    for use in devices.prefix(64) {
      rows.append([
        use.name, use.trains ? "D_t" : "D_f", "\(use.first)..<\(use.end)", Figures.percent(use.idle),
        "\(use.memory / 1_000_000)", "\(use.available / 1_000_000)",
      ])
    }
    lines += TextTable.aligned(rows, right: [3, 4, 5]).split(separator: "\n").map { "  " + $0 }
    if devices.count > 64 { lines.append("  and \(devices.count - 64) more devices") }
    let bytes = traffic.reduce(0) { $0 + $1.bytes }
    lines.append("  \(Figures.megabytes(bytes)) on the wire per step")
    let times = baselines.map {
      "\($0.baseline.title) \(Figures.seconds($0.stepTime)) (k = \($0.microBatch))"
    }
    if !times.isEmpty { lines.append("  against " + times.joined(separator: ", ")) }
    return lines.joined(separator: "\n")
  }

  /// The kind of plan: ContextGear's, or a baseline's if none of ContextGear's is faster.
  package var name: String {
    guard let fallback else {
      if plan.pipelines.count > 1 { return "ContextGear, \(plan.pipelines.count) replicas" }
      return plan.pipelines[0].forward.isEmpty ? "ContextGear, D_f empty" : "ContextGear"
    }
    return "as the baseline \(fallback.title)"
  }
}

/// Formats numbers for people.
enum Figures {
  static func seconds(_ value: Double) -> String {
    value >= 1 ? String(format: "%.2f s", value) : String(format: "%.1f ms", value * 1000)
  }

  static func percent(_ share: Double) -> String { String(format: "%.1f", share * 100) }

  static func megabytes(_ bytes: Int) -> String { String(format: "%.2f MB", Double(bytes) / 1e6) }
}
