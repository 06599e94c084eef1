import Tensor

/// The gradients of some consecutive adapted layers, as replicas send them to each other: the values of their A, then
/// those of their B.
extension GradientBuffer {
  /// How many values the sites have.
  package func count(_ sites: Range<Int>) -> Int { parts(sites).reduce(0) { $0 + $1.count } }

  /// Copies the sites' values out.
  ///
  /// - Parameter values: room for `count(sites)`.
  package func read(
    _ sites: Range<Int>, into values: UnsafeMutablePointer<Float>, _ operations: any TensorOperations
  ) {
    var next = values
    for part in parts(sites) {
      operations.read(part, into: next)
      next += part.count
    }
  }

  /// Replaces the sites' values.
  ///
  /// - Parameter values: `count(sites)` of them.
  package func write(
    _ values: UnsafePointer<Float>, _ sites: Range<Int>, _ operations: any TensorOperations
  ) {
    var next = values
    for part in parts(sites) {
      operations.write(next, scale: 1, into: part)
      next += part.count
    }
  }

  /// Adds the sites' values of another buffer of the same layout.
  package func add(_ other: GradientBuffer, _ sites: Range<Int>, _ operations: any TensorOperations) {
    precondition(other.layout == layout, "GradientBuffer: layouts differ")
    for (part, own) in zip(other.parts(sites), parts(sites)) { operations.add(part, to: own) }
  }

  /// `[1, values]` of A and of B.
  private func parts(_ sites: Range<Int>) -> [Matrix] {
    guard !sites.isEmpty else { return [] }
    return [layout.aOffsets + [layout.aCount], layout.bOffsets + [layout.count]].map { offsets in
      flat.columns(offsets[sites.lowerBound]..<offsets[sites.upperBound])
    }
  }
}
