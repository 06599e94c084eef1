import Tensor

/// The rank columns that a task computes with, in the order of compact matrices: first the frozen ones, then
/// the trainable ones.
package struct ColumnView: Sendable, Equatable {
  /// Columns that are computed and never change.
  package let frozen: [Int]
  /// Columns that are computed and train. Empty at inference.
  package let trainable: [Int]

  /// - Precondition: no column is duplicated.
  package init(frozen: [Int], trainable: [Int]) {
    precondition(Set(frozen + trainable).count == frozen.count + trainable.count, "a column is duplicated")
    self.frozen = frozen.sorted()
    self.trainable = trainable.sorted()
  }

  /// All columns computed, none trained.
  package static func inference(_ columns: [Int]) -> ColumnView { ColumnView(frozen: columns, trainable: []) }

  /// The columns in compact order.
  package var active: [Int] { frozen + trainable }
}

/// The layout of the trainable columns of all target modules in one flat float32 vector: all of A first, then
/// all of B. Gradients and optimiser moments have this layout.
package struct TrainableLayout: Sendable, Equatable {
  /// The target modules.
  package let modules: [TargetModule]
  /// The number of trainable columns.
  package let columns: Int
  /// For each target module, the start of its `[columns, inputs]` part of A.
  package let aOffsets: [Int]
  /// For each target module, the start of its `[outputs, columns]` part of B.
  package let bOffsets: [Int]
  /// The number of elements of A, over all target modules.
  package let aCount: Int
  /// The number of elements of A and B.
  package let count: Int

  package init(modules: [TargetModule], columns: Int) {
    self.modules = modules
    self.columns = columns
    var next = 0
    aOffsets = modules.map { module in
      defer { next += columns * module.inputs }
      return next
    }
    aCount = next
    bOffsets = modules.map { module in
      defer { next += columns * module.outputs }
      return next
    }
    count = next
  }

  /// Copies the trainable columns' values out of an adapter.
  package func gather(_ adapter: LoRAAdapter, columns indices: [Int]) -> [Float] {
    precondition(indices.count == columns && adapter.modules == modules, "TrainableLayout: another adapter")
    var flat = [Float](repeating: 0, count: count)
    for (index, module) in modules.enumerated() {
      let pair = adapter.pairs[index]
      for (position, column) in indices.enumerated() {
        let target = aOffsets[index] + position * module.inputs
        flat.replaceSubrange(
          target..<target + module.inputs,
          with: pair.a[column * module.inputs..<(column + 1) * module.inputs])
        for o in 0..<module.outputs {
          flat[bOffsets[index] + o * columns + position] = pair.b[o * adapter.rank + column]
        }
      }
    }
    return flat
  }

  /// Extracts the values of a subset of the columns from a flat vector of this layout.
  ///
  /// - Parameters:
  ///   - old: the columns of this layout.
  ///   - new: the subset.
  package func narrowed(_ flat: [Float], from old: [Int], to new: [Int]) -> [Float] {
    let positions = new.compactMap { old.firstIndex(of: $0) }
    precondition(old.count == columns && positions.count == new.count, "TrainableLayout: other columns")
    let target = TrainableLayout(modules: modules, columns: new.count)
    var result = [Float](repeating: 0, count: target.count)
    for (index, module) in modules.enumerated() {
      for (position, from) in positions.enumerated() {
        for i in 0..<module.inputs {
          result[target.aOffsets[index] + position * module.inputs + i] =
            flat[aOffsets[index] + from * module.inputs + i]
        }
        for o in 0..<module.outputs {
          result[target.bOffsets[index] + o * new.count + position] =
            flat[bOffsets[index] + o * columns + from]
        }
      }
    }
    return result
  }

  /// Writes the trainable columns' values back; the adapter's other values are unchanged.
  package func scatter(_ flat: UnsafePointer<Float>, into adapter: inout LoRAAdapter, columns indices: [Int])
  {
    precondition(indices.count == columns && adapter.modules == modules, "TrainableLayout: another adapter")
    for (index, module) in modules.enumerated() {
      for (position, column) in indices.enumerated() {
        for i in 0..<module.inputs {
          adapter.pairs[index].a[column * module.inputs + i] =
            flat[aOffsets[index] + position * module.inputs + i]
        }
        for o in 0..<module.outputs {
          adapter.pairs[index].b[o * adapter.rank + column] = flat[bOffsets[index] + o * columns + position]
        }
      }
    }
  }
}
