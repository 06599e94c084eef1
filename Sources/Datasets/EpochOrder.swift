import SeededRandom
/// The order of the samples in one epoch: a permutation of `0 ..< count` that depends only on the count, the
/// seed and the number of the epoch.
package struct EpochOrder: Sendable, Equatable, RandomAccessCollection {
  /// The sample at each position.
  package let permutation: [Int]

  /// The order of epoch `epoch` (from 0) over `count` samples.
  ///
  /// - Precondition: `count` and `epoch` are not negative.
  package init(count: Int, seed: UInt64, epoch: Int) {
    precondition(count >= 0 && epoch >= 0, "count and epoch must not be negative")
    var generator = SeededGenerator(seed: seed, stream: UInt64(epoch) + 1)
    permutation = Array(0..<count).shuffled(by: &generator)
  }

  package var startIndex: Int { 0 }
  package var endIndex: Int { permutation.count }
  /// The sample at `position`.
  package subscript(position: Int) -> Int { permutation[position] }
}

/// The progress of a pass over the samples: the epoch and the number of its samples already taken. A
/// checkpoint that stores it can resume with exactly the remaining samples.
package struct DataCursor: Sendable, Equatable, Codable {
  /// The epoch, from 0.
  package private(set) var epoch: Int
  /// The number of samples of this epoch already taken.
  package private(set) var position: Int

  /// A cursor at the given position; by default, before the first sample of the first epoch.
  ///
  /// - Precondition: `epoch` and `position` are not negative.
  package init(epoch: Int = 0, position: Int = 0) {
    precondition(epoch >= 0 && position >= 0, "epoch and position must not be negative")
    self.epoch = epoch
    self.position = position
  }

  /// Takes the next samples of the epoch, up to `limit`, and advances. A batch never crosses the end of an
  /// epoch, so the last batch of an epoch may be short; after it, the cursor is at the start of the next
  /// epoch.
  ///
  /// - Precondition: `limit` and `count` are positive and the cursor is within `count` samples.
  package mutating func take(_ limit: Int, of count: Int, seed: UInt64) -> [Int] {
    precondition(limit > 0 && count > 0, "limit and count must be positive")
    return take(limit, from: EpochOrder(count: count, seed: seed, epoch: epoch))
  }

  /// Takes the next samples from `order`, the order of this cursor's epoch. The caller keeps it between
  /// batches to avoid computing it again.
  ///
  /// - Precondition: `limit` is positive and the cursor is within the order.
  package mutating func take(_ limit: Int, from order: EpochOrder) -> [Int] {
    precondition(limit > 0, "limit must be positive")
    precondition(position < order.count, "the cursor is beyond the \(order.count) samples of its epoch")
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
