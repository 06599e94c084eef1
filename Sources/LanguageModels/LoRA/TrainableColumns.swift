import Tensor

/// The rank columns that a task computes with, in the order in which they stand in compact matrices:
/// first those that are frozen, then those that train.
package struct ColumnView: Sendable, Equatable {
  /// Columns that are computed and never change.
  package let frozen: [Int]
  /// Columns that are computed and train. Empty at inference.
  package let trainable: [Int]

  /// - Precondition: no column stands twice.
  package init(frozen: [Int], trainable: [Int]) {
    precondition(Set(frozen + trainable).count == frozen.count + trainable.count, "a column stands twice")
    self.frozen = frozen.sorted()
    self.trainable = trainable.sorted()
  }

  /// All columns computed, none trained.
  package static func inference(_ columns: [Int]) -> ColumnView { ColumnView(frozen: columns, trainable: []) }

  /// The columns in compact order.
  package var active: [Int] { frozen + trainable }
}

/// Where the trainable columns of each site stand in one flat float32 vector: all of A first, then all of
/// B. Gradients and optimiser moments have this layout.
package struct TrainableLayout: Sendable, Equatable {
  /// The adapted layers.
  package let sites: [TargetModule]
  /// The number of trainable columns.
  package let columns: Int
  /// Per site, where its `[columns, inputs]` part of A starts.
  package let aOffsets: [Int]
  /// Per site, where its `[outputs, columns]` part of B starts.
  package let bOffsets: [Int]
  /// Elements of A, of all sites together.
  package let aCount: Int
  /// Elements in all.
  package let count: Int

  /// The layout of `columns` trainable columns at each of `sites`.
  package init(sites: [TargetModule], columns: Int) {
    self.sites = sites
    self.columns = columns
    var next = 0
    aOffsets = sites.map { site in
      defer { next += columns * site.inputs }
      return next
    }
    aCount = next
    bOffsets = sites.map { site in
      defer { next += columns * site.outputs }
      return next
    }
    count = next
  }

  /// The trainable columns' values, copied out of an adapter.
  package func gather(_ adapter: LoRAAdapter, columns indices: [Int]) -> [Float] {
    precondition(indices.count == columns && adapter.sites == sites, "TrainableLayout: another adapter")
    var flat = [Float](repeating: 0, count: count)
    for (index, site) in sites.enumerated() {
      let pair = adapter.pairs[index]
      for (place, column) in indices.enumerated() {
        let target = aOffsets[index] + place * site.inputs
        flat.replaceSubrange(
          target..<target + site.inputs,
          with: pair.a[column * site.inputs..<(column + 1) * site.inputs])
        for o in 0..<site.outputs {
          flat[bOffsets[index] + o * columns + place] = pair.b[o * adapter.rank + column]
        }
      }
    }
    return flat
  }

  /// Of a flat vector of this layout, the part that belongs to some of its columns.
  package func narrowed(_ flat: [Float], from old: [Int], to new: [Int]) -> [Float] {
    let places = new.compactMap { old.firstIndex(of: $0) }
    precondition(old.count == columns && places.count == new.count, "TrainableLayout: other columns")
    let target = TrainableLayout(sites: sites, columns: new.count)
    var result = [Float](repeating: 0, count: target.count)
    for (index, site) in sites.enumerated() {
      for (place, from) in places.enumerated() {
        for i in 0..<site.inputs {
          result[target.aOffsets[index] + place * site.inputs + i] =
            flat[aOffsets[index] + from * site.inputs + i]
        }
        for o in 0..<site.outputs {
          result[target.bOffsets[index] + o * new.count + place] = flat[bOffsets[index] + o * columns + from]
        }
      }
    }
    return result
  }

  /// Writes the trainable columns' values back; no other value of the adapter is touched.
  package func scatter(_ flat: UnsafePointer<Float>, into adapter: inout LoRAAdapter, columns indices: [Int])
  {
    precondition(indices.count == columns && adapter.sites == sites, "TrainableLayout: another adapter")
    for (index, site) in sites.enumerated() {
      for (place, column) in indices.enumerated() {
        for i in 0..<site.inputs {
          adapter.pairs[index].a[column * site.inputs + i] = flat[aOffsets[index] + place * site.inputs + i]
        }
        for o in 0..<site.outputs {
          adapter.pairs[index].b[o * adapter.rank + column] = flat[bOffsets[index] + o * columns + place]
        }
      }
    }
  }
}
