/// The patterns that split text into words before merging. Each is a hand-written scanner for a regular
/// expression.
///
/// Every scalar belongs to exactly one word, so the words concatenate to the text.
package enum SplitPattern: Sendable, Equatable {
  /// GPT-2: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
  case gpt2
  /// Llama 3 (after tiktoken's cl100k_base), with up to three digits per word, and Qwen2, with one. The
  /// regular expression is the concatenation of
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}` and
  /// `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
  case cl100k(digits: Int)

  /// The end of the word that starts at `start`, which must be before the end of the text.
  @inline(__always)
  func endOfWord(in reader: ScalarReader, from start: Int) -> Int {
    switch self {
    case .gpt2: endOfGPT2Word(reader, start)
    case .cl100k(let digits): endOfCL100KWord(reader, start, digits)
    }
  }
}

private let apostrophe = UInt8(ascii: "'")
private let space = UInt8(ascii: " ")
private let carriageReturn: UInt8 = 0x0D
private let lineFeed: UInt8 = 0x0A

private func endOfGPT2Word(_ reader: ScalarReader, _ start: Int) -> Int {
  let bytes = reader.bytes
  if bytes[start] == apostrophe {
    let length = contractionLength(bytes, start, ignoringCase: false)
    if length > 0 { return start + length }
  }
  let wordStart = bytes[start] == space ? start + 1 : start
  if let first = reader.classified(at: wordStart), first.kind != .space {
    return reader.endOfRun(of: first.kind, from: wordStart + first.length)
  }
  return endOfSpaces(reader, start)
}

private func endOfCL100KWord(_ reader: ScalarReader, _ start: Int, _ digits: Int) -> Int {
  let bytes = reader.bytes
  if bytes[start] == apostrophe {
    let length = contractionLength(bytes, start, ignoringCase: true)
    if length > 0 { return start + length }
  }
  guard let first = reader.classified(at: start) else { return start }
  let second = start + first.length
  switch first.kind {
  case .letter:
    return reader.endOfRun(of: .letter, from: second)
  case .number:
    var end = second
    var count = 1
    while count < digits, let next = reader.classified(at: end), next.kind == .number {
      end += next.length
      count += 1
    }
    return end
  case .space, .other:
    let isLineEnd = bytes[start] == carriageReturn || bytes[start] == lineFeed
    let following = reader.classified(at: second)?.kind
    if !isLineEnd, following == .letter { return reader.endOfRun(of: .letter, from: second) }
    guard first.kind == .other || (bytes[start] == space && following == .other) else {
      return endOfLinesOrSpaces(reader, start)
    }
    var end = reader.endOfRun(of: .other, from: second)
    while end < bytes.count, bytes[end] == carriageReturn || bytes[end] == lineFeed { end += 1 }
    return end
  }
}

/// `\s*[\r\n]+`; if the run of white space contains no line ending, the same as `endOfSpaces`.
private func endOfLinesOrSpaces(_ reader: ScalarReader, _ start: Int) -> Int {
  let end = reader.endOfRun(of: .space, from: start)
  var last = end
  while last > start {
    let byte = reader.bytes[last - 1]
    if byte == carriageReturn || byte == lineFeed { return last }
    last -= 1
  }
  return endOfSpaces(reader, start)
}

/// `\s+(?!\S)|\s+`: a run of white space leaves its last scalar to the following word.
private func endOfSpaces(_ reader: ScalarReader, _ start: Int) -> Int {
  var end = start
  var last = start
  while let next = reader.classified(at: end), next.kind == .space {
    last = end
    end += next.length
  }
  return end == reader.end || last == start ? end : last
}

/// The length of a contraction `'s 't 'm 'd 're 've 'll` at `start`; 0 if there is none.
private func contractionLength(
  _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, ignoringCase: Bool
) -> Int {
  func byte(_ offset: Int) -> UInt8 {
    guard start + offset < bytes.count else { return 0 }
    let byte = bytes[start + offset]
    return ignoringCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
  }
  switch byte(1) {
  case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
  case UInt8(ascii: "r"), UInt8(ascii: "v"): return byte(2) == UInt8(ascii: "e") ? 3 : 0
  case UInt8(ascii: "l"): return byte(2) == UInt8(ascii: "l") ? 3 : 0
  // The case folding of U+017F, the long s, is s.
  case 0xC5: return ignoringCase && byte(2) == 0xBF ? 3 : 0
  default: return 0
  }
}
