/// The model's tokens as byte strings, looked up by id or by content.
///
/// All tokens are stored end to end in one buffer. An open-addressing table of ids finds a byte string
/// without creating a `String`, so loading 50 000 tokens takes only a few milliseconds.
struct Vocabulary: Sendable {
  /// The bytes of token `i` are `bytes[offsets[i]..<offsets[i + 1]]`.
  private var bytes: [UInt8] = []
  private var offsets: [UInt32] = [0]
  private var slots: [Int32]
  private let mask: Int

  /// The number of ids, including unused ones.
  var count: Int { offsets.count - 1 }

  /// - Parameter spellings: the token of each id in the byte-level alphabet; `nil` for an unused id. A
  ///   spelling outside the alphabet keeps its UTF-8 bytes for decoding, but is not found by content. If a
  ///   spelling is duplicated, the later id is found.
  init(spellings: some Collection<String?>) {
    let capacity = (spellings.count * 2 + 16).nextPowerOfTwo
    slots = [Int32](repeating: -1, count: capacity)
    mask = capacity - 1
    bytes.reserveCapacity(spellings.count * 8)
    offsets.reserveCapacity(spellings.count + 1)
    for (id, spelling) in spellings.enumerated() {
      if let spelling { append(spelling, id: Int32(id)) }
      offsets.append(UInt32(bytes.count))
    }
  }

  private mutating func append(_ spelling: String, id: Int32) {
    let start = bytes.count
    let isByteLevel = withUTF8(spelling) { utf8 in
      if ByteAlphabet.decode(utf8, into: &bytes) { return true }
      bytes.append(contentsOf: utf8)
      return false
    }
    guard isByteLevel, bytes.count > start else { return }
    let slot = bytes.withUnsafeBufferPointer { all in
      find(UnsafeBufferPointer(rebasing: all[start...]), in: all)
    }
    slots[slot] = id
  }

  /// The slot that contains `word`, or the empty slot where it belongs.
  @inline(__always)
  private func find(_ word: UnsafeBufferPointer<UInt8>, in all: UnsafeBufferPointer<UInt8>) -> Int {
    var slot = Int(truncatingIfNeeded: hash(of: word)) & mask
    while slots[slot] >= 0 {
      let id = Int(slots[slot])
      let start = Int(offsets[id])
      if Int(offsets[id + 1]) - start == word.count, equal(word, all, at: start) { break }
      slot = (slot + 1) & mask
    }
    return slot
  }

  /// The id of the token with exactly these bytes.
  func id(of word: UnsafeBufferPointer<UInt8>) -> Int32? {
    guard !word.isEmpty else { return nil }
    let id = bytes.withUnsafeBufferPointer { slots[find(word, in: $0)] }
    return id >= 0 ? id : nil
  }

  /// The bytes of a token; empty for an unused id.
  func bytes(of id: Int) -> ArraySlice<UInt8> {
    bytes[Int(offsets[id])..<Int(offsets[id + 1])]
  }
}

/// A 64-bit hash of a short byte string (FNV-1a with a final mix).
@inline(__always)
func hash(of word: UnsafeBufferPointer<UInt8>) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in word { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
  hash ^= hash >> 29
  return (hash &* 0x9E37_79B9_7F4A_7C15) >> 16
}

/// Whether `all` contains `word` at `start`.
@inline(__always)
func equal(_ word: UnsafeBufferPointer<UInt8>, _ all: UnsafeBufferPointer<UInt8>, at start: Int) -> Bool {
  for i in 0..<word.count where word[i] != all[start + i] { return false }
  return true
}

extension Int {
  /// The smallest power of two that is not below this positive number.
  var nextPowerOfTwo: Int { 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
