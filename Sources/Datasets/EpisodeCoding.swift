import InputErrors
import StrictJSON

/// Decodes and validates one line of a file as an episode.
struct EpisodeDecoder {
  let path: String
  let schema: EpisodeSchema

  func decode(_ line: UnsafeRawBufferPointer, number: Int) throws(EpisodeFileError) -> Episode {
    let root = LineCursor(path: path, line: number)
    let value: JSONValue
    do {
      value = try JSONParser.parse(line)
    } catch {
      throw root.error(.notJSON(reason: error.reason, column: error.offset + 1))
    }
    let members = try root.object(value)
    let hasID = !schema.answersOptional || members.contains { $0.key == "id" }
    let id = hasID ? try root.at("id").string(root.member("id", of: members)) : "line \(number)"
    if id.isEmpty { throw root.at("id").error(.emptyText) }

    let inputsCursor = root.at("inputs")
    var texts: [String: String] = [:]
    for member in try inputsCursor.object(root.member("inputs", of: members)) {
      texts[member.key] = try inputsCursor.at(member.key).string(member.value)
    }
    let tasksCursor = root.at("tasks")
    var items: [String: TaskItem] = [:]
    // If answers are optional and the schema has the questions, an episode may have only its inputs.
    let given = members.first { $0.key == "tasks" }
    let isOptional = schema.answersOptional && !schema.questions.isEmpty
    for member in given == nil && isOptional ? [] : try tasksCursor.object(root.member("tasks", of: members))
    {
      items[member.key] = try item(
        member.value, schema.questions[member.key], at: tasksCursor.at(member.key))
    }
    for task in schema.tasks {
      if items[task] == nil, schema.answersOptional, let standard = schema.questions[task],
        let question = standard.text
      {
        items[task] = TaskItem(question: question, options: standard.options ?? [])
      }
      guard items[task] != nil else { throw tasksCursor.error(.missingTask(task)) }
      for input in schema.inputs[task] ?? [] where texts[input] == nil {
        throw inputsCursor.error(.missingInput(input, task: task))
      }
    }
    return Episode(
      id: id, inputs: texts, tasks: items, origin: Episode.Origin(path: path, line: number))
  }

  /// - Parameter standard: the schema's question and options, used if the episode does not have its own.
  private func item(
    _ value: JSONValue, _ standard: EpisodeSchema.Question?, at cursor: LineCursor
  ) throws(EpisodeFileError) -> TaskItem {
    let members = try cursor.object(value)
    let known = ["question", "options", "answer"]
    if let unknown = members.first(where: { !known.contains($0.key) }) {
      throw cursor.error(.unknownField(unknown.key))
    }
    let question: String
    if let text = standard?.text, !members.contains(where: { $0.key == "question" }) {
      question = text
    } else {
      question = try cursor.at("question").string(cursor.member("question", of: members))
    }
    let isAsked = schema.answersOptional && !members.contains { $0.key == "answer" }
    let answer = isAsked ? JSONValue.null : try cursor.member("answer", of: members)
    let answerCursor = cursor.at("answer")
    let list = members.first { $0.key == "options" }?.value
    guard list != nil || standard?.options != nil else {
      if isAsked { return TaskItem(question: question, options: []) }
      guard case .string(let text) = answer else {
        throw answerCursor.error(
          .wrongType(expected: "a string, because the item has no options,", found: answer.kind))
      }
      if normalizedSpace(text).isEmpty { throw answerCursor.error(.emptyText) }
      return TaskItem(question: question, answer: text)
    }
    let options =
      try list.map { value throws(EpisodeFileError) in
        try self.options(value, at: cursor.at("options"))
      } ?? standard?.options ?? []
    if isAsked { return TaskItem(question: question, options: options) }
    if case .string(let text) = answer {
      throw answerCursor.error(.answerText(text, index: options.firstIndex(of: text)))
    }
    guard case .integer(let index) = answer else {
      throw answerCursor.error(
        .wrongType(expected: "the index of an option (a whole number)", found: answer.kind))
    }
    guard options.indices.contains(index) else {
      throw answerCursor.error(.answerOutsideOptions(answer: index, options: options.count))
    }
    return TaskItem(question: question, options: options, answer: index)
  }

  private func options(_ value: JSONValue, at cursor: LineCursor) throws(EpisodeFileError) -> [String] {
    guard case .array(let elements) = value else {
      throw cursor.error(.wrongType(expected: "a list of strings", found: value.kind))
    }
    guard elements.count <= TaskItem.maximumOptions else {
      throw cursor.error(.tooManyOptions(elements.count))
    }
    var options: [String] = []
    var known: [String] = []
    for (index, element) in elements.enumerated() {
      let option = try cursor.at("\(index)").string(element)
      let shown = normalizedSpace(option)
      if shown.isEmpty { throw cursor.at("\(index)").error(.emptyText) }
      if let same = known.firstIndex(of: shown) {
        throw cursor.error(
          options[same] == option ? .duplicateOption(option) : .similarOptions(options[same], option))
      }
      known.append(shown)
      options.append(option)
    }
    if options.count < 2 { throw cursor.error(.tooFewOptions(options.count)) }
    return options
  }
}

/// A position in a line, for error messages, with the checks that every position needs.
private struct LineCursor {
  let path: String
  let line: Int
  /// The path of field names to the position, outermost first. It is a tuple, joined only for a message,
  /// because every field of every line creates a cursor.
  private var names: (String?, String?, String?, String?) = (nil, nil, nil, nil)

  init(path: String, line: Int) {
    self.path = path
    self.line = line
  }

  func at(_ name: String) -> LineCursor {
    var inner = self
    if names.0 == nil {
      inner.names.0 = name
    } else if names.1 == nil {
      inner.names.1 = name
    } else if names.2 == nil {
      inner.names.2 = name
    } else {
      inner.names.3 = name
    }
    return inner
  }

  func error(_ problem: EpisodeFileError.Problem) -> EpisodeFileError {
    let known = [names.0, names.1, names.2, names.3].compactMap(\.self)
    let field = known.isEmpty ? nil : known.joined(separator: ".")
    return EpisodeFileError(path: path, line: line, field: field, problem: problem)
  }

  func object(_ value: JSONValue) throws(EpisodeFileError) -> [JSONValue.Member] {
    guard case .object(let members) = value else {
      throw error(.wrongType(expected: "an object", found: value.kind))
    }
    return members
  }

  func string(_ value: JSONValue) throws(EpisodeFileError) -> String {
    guard case .string(let text) = value else {
      throw error(.wrongType(expected: "a string", found: value.kind))
    }
    return text
  }

  func member(
    _ name: String, of members: [JSONValue.Member]
  ) throws(EpisodeFileError) -> JSONValue {
    guard let member = members.first(where: { $0.key == name }) else { throw error(.missingField(name)) }
    return member.value
  }
}

/// Encodes an episode as one line of JSON. Equal episodes give equal bytes.
enum EpisodeEncoder {
  static func append(_ episode: Episode, to buffer: inout [UInt8]) {
    buffer += #"{"id":"#.utf8
    append(episode.id, to: &buffer)
    buffer += #","inputs":"#.utf8
    append(episode.inputs, to: &buffer) { append($0, to: &$1) }
    buffer += #","tasks":"#.utf8
    append(episode.tasks, to: &buffer) { append($0, to: &$1) }
    buffer += "}\n".utf8
  }

  private static func append(_ item: TaskItem, to buffer: inout [UInt8]) {
    buffer.append(UInt8(ascii: "{"))
    switch item.answer {
    case .text(let text):
      buffer += #""answer":"#.utf8
      append(text, to: &buffer)
      buffer.append(UInt8(ascii: ","))
    case .option(let index): buffer += #""answer":\#(index),"#.utf8
    case .unknown: break
    }
    if !item.options.isEmpty {
      buffer += #""options":["#.utf8
      for (place, option) in item.options.enumerated() {
        if place > 0 { buffer.append(UInt8(ascii: ",")) }
        append(option, to: &buffer)
      }
      buffer += "],".utf8
    }
    buffer += #""question":"#.utf8
    append(item.question, to: &buffer)
    buffer.append(UInt8(ascii: "}"))
  }

  private static func append<Value>(
    _ members: [String: Value], to buffer: inout [UInt8], _ appendValue: (Value, inout [UInt8]) -> Void
  ) {
    buffer.append(UInt8(ascii: "{"))
    let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    for (place, member) in sorted.enumerated() {
      if place > 0 { buffer.append(UInt8(ascii: ",")) }
      append(member.key, to: &buffer)
      buffer.append(UInt8(ascii: ":"))
      appendValue(member.value, &buffer)
    }
    buffer.append(UInt8(ascii: "}"))
  }

  private static func append(_ text: String, to buffer: inout [UInt8]) {
    let hexadecimal = Array("0123456789abcdef".utf8)
    buffer.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): buffer += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "\n"): buffer += #"\n"#.utf8
      case UInt8(ascii: "\r"): buffer += #"\r"#.utf8
      case UInt8(ascii: "\t"): buffer += #"\t"#.utf8
      case 0..<0x20:
        buffer += #"\u00"#.utf8
        buffer += [hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
      default: buffer.append(byte)
      }
    }
    buffer.append(UInt8(ascii: "\""))
  }
}
