import SeededRandom
/// The order in which one epoch visits the samples: a permutation of `0 ..< count` that depends on the
/// count, the seed and the epoch's number alone.
package struct EpochOrder: Sendable, Equatable, RandomAccessCollection {
  /// The sample visited at each place.
  package let permutation: [Int]

  /// The order of epoch `epoch` (from 0) over `count` samples.
  ///
  /// - Precondition: `count` and `epoch` are not negative.
  package init(count: Int, seed: UInt64, epoch: Int) {
    precondition(count >= 0 && epoch >= 0, "count and epoch must not be negative")
    var generator = SeededGenerator(seed: seed, stream: UInt64(epoch) + 1)
    permutation = Array(0..<count).shuffled(by: &generator)
  }

  /// The first place: 0.
  package var startIndex: Int { 0 }
  /// One past the last place: the number of samples.
  package var endIndex: Int { permutation.count }
  /// The sample visited at `position`.
  package subscript(position: Int) -> Int { permutation[position] }
}

/// How far a pass over the samples has come: the epoch, and how many of its samples were taken. Written
/// into a checkpoint, it is enough to go on with exactly the samples that are left.
package struct DataCursor: Sendable, Equatable, Codable {
  /// The epoch, counted from 0.
  package private(set) var epoch: Int
  /// The number of samples of this epoch that were taken.
  package private(set) var position: Int

  /// A cursor at the given place; by default before the first sample of the first epoch.
  ///
  /// - Precondition: `epoch` and `position` are not negative.
  package init(epoch: Int = 0, position: Int = 0) {
    precondition(epoch >= 0 && position >= 0, "epoch and position must not be negative")
    self.epoch = epoch
    self.position = position
  }

  /// Takes the next samples of the epoch, at most `limit`, and moves on. A batch never crosses the end of
  /// an epoch, so the last one may be short; after it the cursor stands before the next epoch.
  ///
  /// - Precondition: `limit` and `count` are positive and the cursor lies within `count` samples.
  package mutating func take(_ limit: Int, of count: Int, seed: UInt64) -> [Int] {
    precondition(limit > 0 && count > 0, "limit and count must be positive")
    return take(limit, from: EpochOrder(count: count, seed: seed, epoch: epoch))
  }

  /// Takes the next samples from `order`, the order of this cursor's epoch, which the caller keeps between
  /// batches to save making it anew.
  ///
  /// - Precondition: `limit` is positive and the cursor lies within the order.
  package mutating func take(_ limit: Int, from order: EpochOrder) -> [Int] {
    precondition(limit > 0, "limit must be positive")
    precondition(position < order.count, "the cursor lies beyond the \(order.count) samples of its epoch")
    let end = Swift.min(position + limit, order.count)
    let batch = Array(order.permutation[position..<end])
    position = end
    if position == order.count {
      epoch += 1
      position = 0
    }
    return batch
  }
}
