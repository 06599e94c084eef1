import ContextLoRA
import LanguageModels

/// The values of refined columns before earlier steps, for a rank's layers. Forward-only passes compute with
/// them.
struct RefinedColumns {
  /// The refined columns.
  let columns: [Int]
  /// The layout of their values at the rank's adapted layers.
  let layout: TrainableLayout
  private let staleness: Int
  /// By step of the phase: the values before that step.
  private var before: [Int: [Float]] = [:]

  init(modules: [TargetModule], columns: [Int], staleness: Int) {
    self.columns = columns
    self.staleness = staleness
    layout = TrainableLayout(modules: modules, columns: columns.count)
  }

  /// The step before which the columns had the values that step `step` predicts with.
  func source(of step: Int) -> Int { max(step - staleness, 0) }

  /// Records the values before a step.
  mutating func record(_ values: [Float], before step: Int) {
    precondition(values.count == layout.count, "refined columns of another layout")
    before[step] = values
    before = before.filter { $0.key >= step - staleness - 1 }
  }

  /// Records the values of consecutive layers before a step.
  mutating func record(_ values: [Float], modules: [TargetModule], before step: Int) {
    guard let first = modules.first.flatMap({ layout.modules.firstIndex(of: $0) }) else { return }
    var flat = before[step] ?? [Float](repeating: 0, count: layout.count)
    layout.replace(&flat, modules: first..<first + modules.count, with: values)
    record(flat, before: step)
  }

  /// The values of consecutive layers before a step.
  func values(before step: Int, modules: [TargetModule]) -> [Float] {
    if modules.isEmpty { return [] }
    guard let first = modules.first.flatMap({ layout.modules.firstIndex(of: $0) }), let flat = before[step]
    else { preconditionFailure("no columns before step \(step)") }
    return layout.part(flat, modules: first..<first + modules.count)
  }

  /// Writes the values that step `step` predicts with into an adapter.
  func scatter(for step: Int, into adapter: inout LoRAAdapter) {
    guard !columns.isEmpty, !layout.modules.isEmpty else { return }
    guard let values = before[source(of: step)] else {
      preconditionFailure("no columns before step \(source(of: step)) for step \(step)")
    }
    values.withUnsafeBufferPointer {
      if let base = $0.baseAddress { layout.scatter(base, into: &adapter, columns: columns) }
    }
  }
}
