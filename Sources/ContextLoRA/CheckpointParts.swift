import LanguageModels

/// A checkpoint is stored whole in its file, and split into parts if several processes hold layers.
extension TrainingCheckpoint {
  /// The part for some adapted layers, possibly none.
  ///
  /// - Precondition: `modules` are consecutive among the adapter's.
  package func part(of modules: [TargetModule]) -> TrainingCheckpoint {
    let start = modules.first.flatMap { adapter.modules.firstIndex(of: $0) } ?? 0
    let own = start..<start + modules.count
    precondition(Array(adapter.modules[own]) == modules, "a part of layers that are not consecutive")
    let layout = TrainableLayout(modules: adapter.modules, columns: position.trainable.count)
    var part = self
    part.adapter = LoRAAdapter(
      modules: modules, rank: adapter.rank, scale: adapter.scale, pairs: Array(adapter.pairs[own]))
    part.optimizer = optimizer.map {
      ColumnOptimizer.State(
        firstMoment: layout.part($0.firstMoment, modules: own),
        secondMoment: layout.part($0.secondMoment, modules: own), step: $0.step)
    }
    part.history = history.map { layout.part($0, modules: own) }
    part.best = best.map { layout.part($0, modules: own) }
    return part
  }

  /// Joins consecutive parts into the whole checkpoint.
  ///
  /// - Precondition: the parts are of the same step; there is at least one.
  package init(joining parts: [TrainingCheckpoint]) {
    let layouts = parts.map {
      TrainableLayout(modules: $0.adapter.modules, columns: $0.position.trainable.count)
    }
    func joined(_ flat: (TrainingCheckpoint) -> [Float]?) -> [Float]? {
      let values = parts.compactMap(flat)
      return values.count == parts.count ? TrainableLayout.joined(values, of: layouts) : nil
    }
    let first = parts[0]
    self.init(
      position: first.position,
      adapter: LoRAAdapter(
        modules: parts.flatMap(\.adapter.modules), rank: first.adapter.rank, scale: first.adapter.scale,
        pairs: parts.flatMap(\.adapter.pairs)),
      optimizer: first.optimizer.flatMap { state in
        guard let m = joined({ $0.optimizer?.firstMoment }), let v = joined({ $0.optimizer?.secondMoment })
        else { return nil }
        return ColumnOptimizer.State(firstMoment: m, secondMoment: v, step: state.step)
      },
      history: first.history.indices.compactMap { index in joined { $0.history[index] } },
      best: joined(\.best))
  }
}

extension TrainableLayout {
  /// Extracts the values of some target modules from a flat vector, in the layout of those modules alone.
  package func part(_ flat: [Float], modules own: Range<Int>) -> [Float] {
    func slice(_ offsets: [Int], _ end: Int) -> ArraySlice<Float> {
      let start = own.lowerBound < offsets.count ? offsets[own.lowerBound] : end
      return flat[start..<(own.upperBound < offsets.count ? offsets[own.upperBound] : end)]
    }
    return Array(slice(aOffsets, aCount) + slice(bOffsets, count))
  }

  /// Writes the values of some target modules, in the layout of those modules alone, into a flat vector.
  package func replace(_ flat: inout [Float], modules own: Range<Int>, with values: [Float]) {
    func end(_ offsets: [Int], _ index: Int, _ all: Int) -> Int {
      index < offsets.count ? offsets[index] : all
    }
    let a = end(aOffsets, own.lowerBound, aCount)..<end(aOffsets, own.upperBound, aCount)
    let b = end(bOffsets, own.lowerBound, count)..<end(bOffsets, own.upperBound, count)
    precondition(values.count == a.count + b.count, "TrainableLayout: values of other modules")
    flat.replaceSubrange(a, with: values[..<a.count])
    flat.replaceSubrange(b, with: values[a.count...])
  }

  /// Joins the flat vectors of consecutive parts into that of all target modules.
  package static func joined(_ parts: [[Float]], of layouts: [TrainableLayout]) -> [Float] {
    zip(parts, layouts).flatMap { $0[..<$1.aCount] } + zip(parts, layouts).flatMap { $0[$1.aCount...] }
  }
}
