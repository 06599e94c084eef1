/// Applies merges to one word: always the merge with the lowest rank, the leftmost one among equal ranks,
/// until none applies.
///
/// Short words, which are nearly all words, scan an array. Long words use a heap over a linked list, so that
/// a word of n bytes takes O(n log n). Both give the same tokens. The buffers are reused from word to word.
struct BytePairMerger: Sendable {
  private var symbols: [Int32] = []
  private var merges: [UInt64] = []
  private var next: [Int32] = []
  private var previous: [Int32] = []
  private var heap: [UInt64] = []

  /// Words up to this many symbols use the scan, longer ones the heap.
  static let scanLimit = 32

  /// Appends the tokens of a word.
  ///
  /// - Parameters:
  ///   - word: the word's bytes.
  ///   - byteTokens: the token of each of the 256 bytes; -1 if the vocabulary has none.
  ///   - unknown: the token for a byte without one; if `nil`, such bytes are omitted.
  ///   - fuseUnknown: whether a run of such bytes becomes a single unknown token.
  mutating func append(
    _ word: UnsafeBufferPointer<UInt8>, byteTokens: [Int32], unknown: Int32?, fuseUnknown: Bool,
    merges table: MergeTable.View, to output: inout [Int32]
  ) {
    symbols.removeAll(keepingCapacity: true)
    var afterUnknown = false
    for byte in word {
      let token = byteTokens[Int(byte)]
      if token >= 0 {
        symbols.append(token)
        afterUnknown = false
      } else if let unknown {
        if !(fuseUnknown && afterUnknown) { symbols.append(unknown) }
        afterUnknown = true
      }
    }
    if symbols.count <= Self.scanLimit {
      mergeScanning(table)
      output.append(contentsOf: symbols)
    } else {
      mergeWithHeap(table, to: &output)
    }
  }

  private mutating func mergeScanning(_ table: MergeTable.View) {
    var count = symbols.count
    guard count > 1 else { return }
    merges.removeAll(keepingCapacity: true)
    for i in 0..<count - 1 { merges.append(table.merge(symbols[i], symbols[i + 1])) }
    symbols.withUnsafeMutableBufferPointer { symbols in
      merges.withUnsafeMutableBufferPointer { merges in
        while count > 1 {
          var best = 0
          for i in 1..<max(count - 1, 1) where merges[i] >> 32 < merges[best] >> 32 { best = i }
          guard merges[best] != MergeTable.none else { return }
          symbols[best] = Int32(truncatingIfNeeded: merges[best])
          for i in best + 1..<max(count - 1, best + 1) { symbols[i] = symbols[i + 1] }
          for i in best..<max(count - 2, best) { merges[i] = merges[i + 1] }
          count -= 1
          if best > 0 { merges[best - 1] = table.merge(symbols[best - 1], symbols[best]) }
          if best + 1 < count { merges[best] = table.merge(symbols[best], symbols[best + 1]) }
        }
      }
    }
    symbols.removeSubrange(count...)
  }

  private mutating func mergeWithHeap(_ table: MergeTable.View, to output: inout [Int32]) {
    let count = symbols.count
    next = (0..<Int32(count)).map { $0 + 1 < count ? $0 + 1 : -1 }
    previous = (0..<Int32(count)).map { $0 - 1 }
    merges = [UInt64](repeating: MergeTable.none, count: count)
    heap.removeAll(keepingCapacity: true)
    for i in 0..<count - 1 { consider(i, table) }

    while let candidate = popHeap() {
      let left = Int(UInt32(truncatingIfNeeded: candidate))
      // A candidate is stale if its pair has changed since it was queued.
      guard merges[left] != MergeTable.none, merges[left] >> 32 == candidate >> 32 else { continue }
      let right = Int(next[left])
      symbols[left] = Int32(truncatingIfNeeded: merges[left])
      merges[right] = MergeTable.none
      symbols[right] = -1
      next[left] = next[right]
      if next[right] >= 0 { previous[Int(next[right])] = Int32(left) }
      consider(left, table)
      if previous[left] >= 0 { consider(Int(previous[left]), table) }
    }
    for symbol in symbols where symbol >= 0 { output.append(symbol) }
  }

  /// Looks up the pair that starts at `left` and queues it if it merges.
  private mutating func consider(_ left: Int, _ table: MergeTable.View) {
    guard next[left] >= 0 else {
      merges[left] = MergeTable.none
      return
    }
    merges[left] = table.merge(symbols[left], symbols[Int(next[left])])
    guard merges[left] != MergeTable.none else { return }
    heap.append((merges[left] >> 32) << 32 | UInt64(left))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child] < heap[parent] else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func popHeap() -> UInt64? {
    guard let top = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return top }
    heap[0] = last
    var parent = 0
    while true {
      var child = parent * 2 + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < heap[parent] else { break }
      heap.swapAt(child, parent)
      parent = child
    }
    return top
  }
}
