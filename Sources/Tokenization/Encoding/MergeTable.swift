/// Maps a pair of tokens to the token into which it merges and the rank of the merge.
struct MergeTable: Sendable {
  /// One slot of the open-addressing table.
  struct Entry: Sendable {
    /// The left token in the upper half, the right token in the lower half; `none` in an empty slot.
    var pair: UInt64
    /// The rank (0 merges first) in the upper half, the merged token in the lower half.
    var merge: UInt64
  }

  /// Marks an empty slot and a pair that does not merge. No two tokens form this value.
  static let none = UInt64.max

  private var entries: [Entry]

  /// Creates a table with capacity for `count` merges.
  init(count: Int) {
    entries = [Entry](
      repeating: Entry(pair: Self.none, merge: Self.none), count: (count * 2 + 16).nextPowerOfTwo)
  }

  /// Adds a merge. If the pair already exists, it gets the new rank.
  mutating func insert(left: Int32, right: Int32, rank: Int, merged: Int32) {
    let pair = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    let mask = entries.count - 1
    var slot = View.slot(of: pair, mask: mask)
    while entries[slot].pair != Self.none, entries[slot].pair != pair { slot = (slot + 1) & mask }
    entries[slot] = Entry(pair: pair, merge: UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merged)))
  }

  /// Calls `body` with unchecked read access for the merge loop.
  func withView<Result>(_ body: (View) throws -> Result) rethrows -> Result {
    try entries.withUnsafeBufferPointer { buffer in
      try body(View(buffer: buffer))
    }
  }

  /// The table's memory, valid during `withView`.
  struct View {
    fileprivate let buffer: UnsafeBufferPointer<Entry>

    @inline(__always)
    fileprivate static func slot(of pair: UInt64, mask: Int) -> Int {
      Int(truncatingIfNeeded: ((pair ^ pair >> 32) &* 0x9E37_79B9_7F4A_7C15) >> 20) & mask
    }

    /// The rank and merged token of a pair; `none` if the pair does not merge.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> UInt64 {
      let pair = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
      let mask = buffer.count - 1
      var slot = Self.slot(of: pair, mask: mask)
      while true {
        let entry = buffer[slot]
        if entry.pair == pair { return entry.merge }
        if entry.pair == MergeTable.none { return MergeTable.none }
        slot = (slot + 1) & mask
      }
    }
  }
}
