import Foundation

/// Caches the tokens of words already encoded, and the buffers of the merge loop.
///
/// Stores up to `capacity` words and is cleared when full. It never changes a result.
struct WordCache: Sendable {
  private struct Entry: Sendable {
    var hash: UInt64
    var word: Range<Int>
    var tokens: Range<Int>
  }

  static let capacity = 1 << 15
  /// Longer words are not cached.
  static let longestWord = 48

  var merger = BytePairMerger()
  private var slots = [Int32](repeating: -1, count: 1 << 16)
  private var entries: [Entry] = []
  private var words: [UInt8] = []
  private var tokens: [Int32] = []

  /// Appends the tokens of `word`, from the cache or with `encode`.
  @inline(__always)
  mutating func append(
    _ word: UnsafeBufferPointer<UInt8>, to output: inout [Int32],
    encode: (inout BytePairMerger, inout [Int32]) -> Void
  ) {
    guard word.count <= Self.longestWord else { return encode(&merger, &output) }
    let hash = hash(of: word)
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] >= 0 {
      let entry = entries[Int(slots[slot])]
      if entry.hash == hash, entry.word.count == word.count,
        words.withUnsafeBufferPointer({ equal(word, $0, at: entry.word.lowerBound) })
      {
        output.append(contentsOf: tokens[entry.tokens])
        return
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    let start = output.count
    encode(&merger, &output)
    if entries.count == Self.capacity {
      let merger = merger
      self = WordCache()
      self.merger = merger
      slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    }
    let entry = Entry(
      hash: hash, word: words.count..<words.count + word.count,
      tokens: tokens.count..<tokens.count + output.count - start)
    words.append(contentsOf: word)
    tokens.append(contentsOf: output[start...])
    slots[slot] = Int32(entries.count)
    entries.append(entry)
  }
}

/// One cache for all users of a tokenizer. If it is in use by another caller, a new temporary cache is used.
///
/// `@unchecked Sendable`: `cache` is accessed only under `lock`.
final class SharedWordCache: @unchecked Sendable {
  private let lock = NSLock()
  private var cache = WordCache()

  func withCache<Result>(_ body: (inout WordCache) throws -> Result) rethrows -> Result {
    guard lock.try() else {
      var fresh = WordCache()
      return try body(&fresh)
    }
    defer { lock.unlock() }
    return try body(&cache)
  }
}
