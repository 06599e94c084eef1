import CTrafficStates
import Foundation
import InputErrors
import SafeFiles
import StrictJSON

/// Files of states as `scripts/sumo_states.py` writes them: JSON lines.
package enum SumoStateFile {
  /// The most bytes that a file may have.
  static let largest = 32 << 20

  /// Reads and checks a file.
  ///
  /// - Throws: `FileError` if it cannot be read; `Refusal` with the line and field of the first error.
  package static func read(_ path: String) throws -> [SumoState] {
    try states(in: FileContents.readText(path, limit: largest), path: path)
  }

  /// The states of Bologna that are part of the program.
  ///
  /// - Throws: `Refusal` if the program was built with a damaged file.
  package static func shipped() throws(Refusal) -> [SumoState] {
    var count = 0
    guard let bytes = traffic_states(&count) else { return [] }
    return try states(in: Data(bytes: bytes, count: count), path: shippedPath)
  }

  /// The name of the states of Bologna in messages.
  package static let shippedPath = "bologna.jsonl"

  /// Checks the content of a file; `path` is its name in messages.
  package static func states(in data: Data, path: String) throws(Refusal) -> [SumoState] {
    var states: [SumoState] = []
    for (index, line) in data.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
      do throws(StateMistake) {
        states.append(try SumoState(json: parse(line)))
      } catch {
        let field = error.field.isEmpty ? "" : ": field '\(error.field)'"
        throw Refusal("\(path):\(index + 1)\(field)", error.problem, advice)
      }
    }
    guard !states.isEmpty else { throw Refusal(path, "there are no states in it", advice) }
    return states
  }

  static let advice = "use a file that scripts/sumo_states.py wrote, or make one with --simulate FILE"

  private static func parse(_ line: Data) throws(StateMistake) -> JSONValue {
    // The line is copied: its bytes need not be contiguous.
    let result = [UInt8](line).withUnsafeBytes { bytes -> Result<JSONValue, JSONSyntaxError> in
      do throws(JSONSyntaxError) {
        return .success(try JSONParser.parse(bytes))
      } catch { return .failure(error) }
    }
    switch result {
    case .success(let value): return value
    case .failure(let error): throw StateMistake("", "not valid JSON: \(error.reason)")
    }
  }
}

/// What is wrong with a state.
struct StateMistake: Error {
  let field: String
  let problem: String

  init(_ field: String, _ problem: String) {
    (self.field, self.problem) = (field, problem)
  }
}

extension SumoState {
  init(json: JSONValue) throws(StateMistake) {
    guard json.members != nil else { throw StateMistake("", "expected an object, found \(json.kind)") }
    world = try json.whole("world", in: 0...999_999)
    speed = try json.field("speed").decimal(as: "speed", in: 0...100)
    grip = try json.word("road", ["dry": Grip.good, "wet": .poor])
    light = try json.word("light", ["red": Light.red, "green": .green])
    let gaps = try json.list("left", count: 2...2)
    left = (
      try gaps[0].whole(as: "left.0", in: 0...1000), try gaps[1].whole(as: "left.1", in: 0...1000)
    )
    var neighbours: [SumoNeighbour] = []
    for (index, car) in try json.list("cars", count: 3...12).enumerated() {
      neighbours.append(try SumoNeighbour(json: car, field: "cars.\(index)"))
    }
    self.neighbours = neighbours
    guard neighbours.contains(where: { $0.place == .ownAhead }) else {
      throw StateMistake("cars", "no vehicle is 'own ahead'")
    }
    ours = try Self.routes(json, "ours", isAfterStop: true)
    beside = try Self.routes(json, "beside", isAfterStop: false)
    guard Set((ours + beside).map(\.street)).count == 4 else {
      throw StateMistake("beside", "two routes have the same street")
    }
    guard beside[0].minutes != beside[1].minutes, ours[0].minutes != ours[1].minutes,
      ours[0].minutesAfterStop != ours[1].minutesAfterStop
    else { throw StateMistake("ours", "two routes that are compared take the same number of minutes") }
  }

  private static func routes(
    _ json: JSONValue, _ field: String, isAfterStop: Bool
  ) throws(StateMistake) -> [SumoRoute] {
    var routes: [SumoRoute] = []
    for (index, route) in try json.list(field, count: 2...2).enumerated() {
      let place = "\(field).\(index)"
      let parts = try route.list(as: place, count: isAfterStop ? 3...3 : 2...2)
      // A letter from A to Z first, so that a street cannot be taken for a number or a word of the prompt.
      guard let street = parts[0].string, (1...30).contains(street.utf8.count),
        street.utf8.first.map({ (0x41...0x5A).contains($0) }) == true,
        street.utf8.last != 0x20,
        street.utf8.allSatisfy({ (0x41...0x5A).contains($0 & 0xDF) || $0 == 0x20 })
      else { throw StateMistake(place, "the street is not a name of letters and spaces") }
      let seconds = 30...569
      routes.append(
        SumoRoute(
          street: street, seconds: try parts[1].whole(as: place, in: seconds),
          secondsAfterStop: isAfterStop ? try parts[2].whole(as: place, in: seconds) : nil))
    }
    return routes
  }
}

extension SumoNeighbour {
  init(json: JSONValue, field: String) throws(StateMistake) {
    let parts = try json.list(as: field, count: 9...9)
    kind = try parts[0].choice(as: field)
    place = try parts[1].choice(as: field)
    gap = try parts[2].whole(as: field, in: 0...1000)
    speed = try parts[3].decimal(as: field, in: 0...100)
    acceleration = try parts[4].decimal(as: field, in: -100...100)
    brakes = try parts[5].whole(as: field, in: 0...1) == 1
    blinker = try parts[6].choice(as: field)
    laterSpeed = try parts[7].decimal(as: field, in: 0...100)
    movement = try parts[8].choice(as: field)
  }
}

extension JSONValue {
  fileprivate func field(_ name: String) throws(StateMistake) -> JSONValue {
    guard let value = self[name] else { throw StateMistake(name, "is missing") }
    return value
  }

  fileprivate func whole(_ name: String, in range: ClosedRange<Int>) throws(StateMistake) -> Int {
    try field(name).whole(as: name, in: range)
  }

  fileprivate func whole(as name: String, in range: ClosedRange<Int>) throws(StateMistake) -> Int {
    guard let value = integer, range.contains(value) else {
      throw StateMistake(
        name, "expected a whole number from \(range.lowerBound) to \(range.upperBound), found \(shown)")
    }
    return value
  }

  fileprivate func decimal(as name: String, in range: ClosedRange<Double>) throws(StateMistake) -> Double {
    guard let value = number, range.contains(value) else {
      throw StateMistake(
        name, "expected a number from \(range.lowerBound) to \(range.upperBound), found \(shown)")
    }
    return value
  }

  fileprivate func word<Value>(_ name: String, _ values: [String: Value]) throws(StateMistake) -> Value {
    let text = try field(name)
    guard let value = text.string.flatMap({ values[$0] }) else {
      throw StateMistake(
        name, "expected \(values.keys.sorted().joined(separator: " or ")), found \(text.shown)")
    }
    return value
  }

  fileprivate func choice<Value: RawRepresentable<String> & CaseIterable>(
    as name: String
  ) throws(StateMistake) -> Value {
    guard let value = string.flatMap(Value.init(rawValue:)) else {
      let values = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw StateMistake(name, "expected one of \(values), found \(shown)")
    }
    return value
  }

  fileprivate func list(_ name: String, count: ClosedRange<Int>) throws(StateMistake) -> [JSONValue] {
    try field(name).list(as: name, count: count)
  }

  fileprivate func list(as name: String, count: ClosedRange<Int>) throws(StateMistake) -> [JSONValue] {
    guard let values = array, count.contains(values.count) else {
      let number =
        count.lowerBound == count.upperBound
        ? "\(count.lowerBound)" : "\(count.lowerBound) to \(count.upperBound)"
      throw StateMistake(name, "expected a list of \(number) values, found \(shown)")
    }
    return values
  }

  /// A short form for messages.
  private var shown: String {
    switch self {
    case .integer, .number, .bool: encoded()
    case .string(let text):
      text.utf8.count <= 20 && text.utf8.allSatisfy { (0x20...0x7E).contains($0) } ? "'\(text)'" : kind
    case .array(let values): "a list of \(values.count)"
    case .null, .object: kind
    }
  }
}
