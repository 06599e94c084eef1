import InputErrors
import TaskGraph

/// Any key of a mapping.
struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { Int(stringValue) }
  init(stringValue: String) { self.stringValue = stringValue }
  init(intValue: Int) { stringValue = "\(intValue)" }
}

extension [any CodingKey] {
  /// `devices.0.memory`; list positions are numbers.
  var dotted: String { map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".") }
}

extension Decoder {
  /// The mapping's fields.
  ///
  /// - Throws: `Refusal` if it has a key that is not in `Keys`.
  func fields<Keys: CodingKey & CaseIterable>(_ keys: Keys.Type) throws -> KeyedDecodingContainer<Keys> {
    let known = Keys.allCases.map(\.stringValue)
    let all = try container(keyedBy: AnyKey.self)
    for key in all.allKeys where !known.contains(key.stringValue) {
      let remedy =
        nearestName(to: key.stringValue, in: known).map { "did you mean '\($0)'?" }
        ?? "use: \(known.joined(separator: ", "))"
      throw refusal(codingPath + [key], "is not a known field", remedy)
    }
    return try container(keyedBy: keys)
  }

  /// An error at a path in the file.
  func refusal(_ path: [any CodingKey], _ problem: String, _ remedy: String) -> Refusal {
    Refusal(path.dotted, problem, remedy)
  }
}

extension KeyedDecodingContainer {
  /// A number above 0, or of at least 0 if `orZero`.
  func positive(_ key: Key, orZero: Bool = false) throws -> Double {
    let value = try decode(Double.self, forKey: key)
    guard value.isFinite, value > 0 || (orZero && value == 0) else {
      throw Refusal(
        (codingPath + [key]).dotted, "\(value) is not valid",
        orZero ? "give a finite number of at least 0" : "give a finite number above 0")
    }
    return value
  }
}
