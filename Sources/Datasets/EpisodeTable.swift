/// The episodes of one file in little memory, in the order of the file.
///
/// An episode is kept as bytes and decoded whenever it is accessed. Texts that recur, such as questions and options,
/// are kept once. A million episodes of a few hundred characters take a few hundred megabytes, about a tenth of what
/// an array of them takes.
package struct EpisodeTable: Sendable {
  private static let blockSize = 4 << 20
  /// Enough for the questions and options of a workflow; data whose texts hardly recur fills it and continues without.
  private static let maximumTexts = 1 << 16

  private let path: String
  /// Each block is filled until an episode begins beyond its size.
  private var blocks: [[UInt8]] = [[]]
  /// For each episode, its block and its offset there.
  private var starts: [(block: Int32, offset: Int32)] = []
  private var texts: [String] = []
  private var places: [String: Int] = [:]

  /// A table without episodes.
  ///
  /// - Parameter path: the file of the episodes to come, as in their origins.
  package init(path: String = "") { self.path = path }

  /// A table of episodes that were all read from the same file.
  package init(_ episodes: some Sequence<Episode>) {
    var path: String?
    var table = EpisodeTable()
    for episode in episodes {
      if path == nil {
        path = episode.origin?.path
        table = EpisodeTable(path: path ?? "")
      }
      table.append(episode)
    }
    self = table
  }

  /// Adds an episode.
  package mutating func append(_ episode: Episode) {
    if blocks[blocks.count - 1].count >= Self.blockSize { blocks.append([]) }
    let last = blocks.count - 1
    starts.append((Int32(last), Int32(blocks[last].count)))
    // Taken out, so that it is not copied.
    var bytes = blocks[last]
    blocks[last] = []
    defer { blocks[last] = bytes }
    add(episode.origin?.line ?? 0, to: &bytes)
    addText(episode.id, to: &bytes)
    add(episode.inputs.count, to: &bytes)
    for (name, text) in episode.inputs {
      addShared(name, to: &bytes)
      addText(text, to: &bytes)
    }
    add(episode.tasks.count, to: &bytes)
    for (name, item) in episode.tasks {
      addShared(name, to: &bytes)
      addShared(item.question, to: &bytes)
      add(item.options.count, to: &bytes)
      for option in item.options { addShared(option, to: &bytes) }
      switch item.answer {
      case .unknown: add(0, to: &bytes)
      case .text(let text):
        add(1, to: &bytes)
        addShared(text, to: &bytes)
      case .option(let index): add(index + 2, to: &bytes)
      }
    }
  }

  /// Seven bits a byte, lowest first; the highest bit says that more follow.
  private func add(_ number: Int, to bytes: inout [UInt8]) {
    var rest = UInt(number)
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private func addText(_ text: String, to bytes: inout [UInt8]) {
    add(text.utf8.count << 1, to: &bytes)
    bytes += text.utf8
  }

  /// Adds a text that may recur.
  private mutating func addShared(_ text: String, to bytes: inout [UInt8]) {
    // Equality of strings takes composed and decomposed letters as equal; a text is given back byte by byte.
    if let place = places[text], texts[place].utf8.elementsEqual(text.utf8) {
      return add(place << 1 | 1, to: &bytes)
    }
    guard texts.count < Self.maximumTexts, places[text] == nil else { return addText(text, to: &bytes) }
    places[text] = texts.count
    texts.append(text)
    add((texts.count - 1) << 1 | 1, to: &bytes)
  }
}

extension EpisodeTable: RandomAccessCollection {
  package var startIndex: Int { 0 }
  package var endIndex: Int { starts.count }

  /// Decodes the episode at a position.
  package subscript(position: Int) -> Episode {
    let start = starts[position]
    return blocks[Int(start.block)].withUnsafeBytes { bytes in
      var reader = Reader(bytes: bytes, offset: Int(start.offset), texts: texts)
      let line = reader.number()
      let id = reader.text()
      var inputs: [String: String] = [:]
      for _ in 0..<reader.number() {
        let name = reader.text()
        inputs[name] = reader.text()
      }
      var tasks: [String: TaskItem] = [:]
      for _ in 0..<reader.number() {
        let name = reader.text()
        tasks[name] = reader.item()
      }
      return Episode(
        id: id, inputs: inputs, tasks: tasks, origin: line == 0 ? nil : Episode.Origin(path: path, line: line)
      )
    }
  }

  private struct Reader {
    let bytes: UnsafeRawBufferPointer
    var offset: Int
    let texts: [String]

    mutating func number() -> Int {
      var (value, shift) = (UInt(0), UInt(0))
      while true {
        let byte = bytes[offset]
        offset += 1
        value |= UInt(byte & 0x7F) << shift
        if byte < 0x80 { return Int(value) }
        shift += 7
      }
    }

    mutating func text() -> String {
      let head = number()
      if head & 1 == 1 { return texts[head >> 1] }
      defer { offset += head >> 1 }
      return String(
        decoding: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + head >> 1]), as: UTF8.self)
    }

    mutating func item() -> TaskItem {
      let question = text()
      let options = (0..<number()).map { _ in text() }
      switch number() {
      case 0: return TaskItem(question: question, options: options)
      case 1: return TaskItem(question: question, answer: text())
      case let answer: return TaskItem(question: question, options: options, answer: answer - 2)
      }
    }
  }
}
