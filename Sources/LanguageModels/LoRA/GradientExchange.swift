import Tensor

/// The gradients of consecutive adapted layers as replicas exchange them: the values of their A, then those
/// of their B.
extension GradientBuffer {
  /// The number of values of the target modules.
  package func count(_ sites: Range<Int>) -> Int { parts(sites).reduce(0) { $0 + $1.count } }

  /// Copies the target modules' values out.
  ///
  /// - Parameter values: capacity for `count(sites)` values.
  package func read(
    _ sites: Range<Int>, into values: UnsafeMutablePointer<Float>, _ operations: any TensorOperations
  ) {
    var next = values
    for part in parts(sites) {
      operations.read(part, into: next)
      next += part.count
    }
  }

  /// Replaces the target modules' values.
  ///
  /// - Parameter values: `count(sites)` values.
  package func write(
    _ values: UnsafePointer<Float>, _ sites: Range<Int>, _ operations: any TensorOperations
  ) {
    var next = values
    for part in parts(sites) {
      operations.write(next, scale: 1, into: part)
      next += part.count
    }
  }

  /// Adds the target modules' values of another buffer with the same layout.
  package func add(_ other: GradientBuffer, _ sites: Range<Int>, _ operations: any TensorOperations) {
    precondition(other.layout == layout, "GradientBuffer: layouts differ")
    for (part, own) in zip(other.parts(sites), parts(sites)) { operations.add(part, to: own) }
  }

  /// A and B as `[1, values]` each.
  private func parts(_ sites: Range<Int>) -> [Matrix] {
    guard !sites.isEmpty else { return [] }
    return [layout.aOffsets + [layout.aCount], layout.bOffsets + [layout.count]].map { offsets in
      flat.columns(offsets[sites.lowerBound]..<offsets[sites.upperBound])
    }
  }
}
