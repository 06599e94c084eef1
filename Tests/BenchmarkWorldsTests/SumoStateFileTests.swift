import BenchmarkWorlds
import Foundation
import InputErrors
import TestSupport
import Testing

@Suite struct SumoStateFileTests {
  /// A valid line.
  static let line = #"""
    {"world":3,"time":9,"id":"a","edge":"b8","lane":0,"speed":9.3,"road":"dry","light":"green","left":[99,40],\#
    "cars":[["van","own ahead",12,6.1,-2.3,1,"off",0.2,"same lane"],\#
    ["car","oncoming",40,9,0,0,"left",5.5,"turned"],["moped","own behind",7,8.0,0.1,0,"off",8.1,"straight on"]],\#
    "ours":[["Costa",181,300],["XXI Aprile",250,240]],"beside":[["Prati Caprara",400],["Turati",299]]}
    """#

  private func read(_ text: String) throws -> [SumoState] {
    try SumoStateFile.states(in: Data(text.utf8), path: "s.jsonl")
  }

  @Test func aStateIsRead() throws {
    let states = try read("\n" + Self.line + "\n\n" + Self.line)
    try #require(states.count == 2 && states[0] == states[1])
    let state = states[0]
    #expect(state.world == 3 && state.speed == 9.3 && state.grip == .good && state.light == .green)
    #expect(state.left.ahead == 99 && state.left.behind == 40 && state.leftLane == .free)
    #expect(state.hazard.kind == .van && state.hazard.cue == .braking && state.hazard.prediction == .stops)
    #expect(state.neighbours.map(\.cue) == [.braking, .turning, .steady])
    #expect(state.neighbours.map(\.prediction) == [.stops, .turnsOff, .keepsGoing])
    #expect(state.ours.map(\.minutes) == [3, 4] && state.ours.map(\.minutesAfterStop) == [5, 4])
    #expect(state.beside.map(\.minutes) == [7, 5] && state.beside[0].secondsAfterStop == nil)
  }

  /// A two-wheeler is no motor vehicle, a narrow gap is no room, and slowing down a little is nothing clear.
  @Test func factsFollowFromTheNumbers() throws {
    func state(_ old: String, _ new: String) throws -> SumoState {
      try read(Self.line.replacing(old, with: new))[0]
    }
    #expect(try state("[99,40]", "[20,40]").leftLane == .busy)
    #expect(try state("[99,40]", "[99,12]").leftLane == .busy)
    #expect(try state("van", "bicycle").hazard.kind.group == .unprotected)
    #expect(try state("0.2,\"same lane\"", "4.2,\"same lane\"").hazard.prediction == nil)
    #expect(try state("0.2,\"same lane\"", "4.3,\"same lane\"").hazard.prediction == .keepsGoing)
    #expect(try state("-2.3,1", "-0.9,1").hazard.cue == .steady)
    #expect(try state("12,6.1,-2.3,1", "12,0,0,1").hazard.cue == .braking)
    #expect(try state("0.2,\"same lane\"", "6,\"other lane\"").hazard.prediction == .turnsOff)
  }

  @Test(arguments: [
    ("\"world\":3,", "", ":1: field 'world': is missing"),
    ("\"world\":3", "\"world\":-1", ":1: field 'world': expected a whole number from 0 to 999999, found -1"),
    ("\"world\":3", "\"world\":1e99", ":1: field 'world': expected a whole number"),
    ("9.3", "1e400", ":1: not valid JSON"),
    ("9.3", "-3", ":1: field 'speed': expected a number from 0.0 to 100.0, found -3"),
    ("\"dry\"", "\"icy\"", ":1: field 'road': expected dry or wet, found 'icy'"),
    ("\"green\"", "null", ":1: field 'light': is missing"),
    ("[99,40]", "[99]", ":1: field 'left': expected a list of 2 values, found a list of 1"),
    ("[99,40]", "[99,true]", ":1: field 'left.1': expected a whole number from 0 to 1000, found true"),
    ("own ahead", "left ahead", ":1: field 'cars': no vehicle is 'own ahead'"),
    ("\"van\"", "\"tram\"", ":1: field 'cars.0': expected one of car, taxi, van"),
    ("\"turned\"", "\"flew\"", ":1: field 'cars.1': expected one of same lane"),
    (",\"same lane\"]", "]", ":1: field 'cars.0': expected a list of 9 values, found a list of 8"),
    ("\"Turati\"", "\"Costa\"", ":1: field 'beside': two routes have the same street"),
    ("\"Turati\"", "\"7. Turati\"", ":1: field 'beside.1': the street is not a name of letters and spaces"),
    ("\"Turati\"", "\"\"", ":1: field 'beside.1': the street is not a name"),
    ("\"Turati\"", "\"A\\n\"", ":1: field 'beside.1': the street is not a name"),
    ("299", "395", ":1: field 'ours': two routes that are compared take the same number of minutes"),
    ("299", "29900", ":1: field 'beside.1': expected a whole number from 30 to 569"),
    ("181,300", "181", ":1: field 'ours.0': expected a list of 3 values, found a list of 2"),
    ("}", "", ":1: not valid JSON"),
  ]) func damagedStatesAreRefused(_ old: String, _ new: String, _ expected: String) throws {
    let text = Self.line.replacing(old, with: new)
    try #require(text != Self.line)
    let error = #expect(throws: Refusal.self) { try read(text) }
    #expect(try #require(error).description.hasPrefix("s.jsonl" + expected), "\(error?.description ?? "")")
  }

  @Test(arguments: ["", "\n \n", "[]", "3", "\u{0}"]) func filesWithoutStatesAreRefused(_ text: String) {
    #expect(throws: Refusal.self) { try read(text) }
  }

  /// Cutting a file anywhere, or changing a byte, gives states or a refusal.
  @Test func damagedBytesNeverTrap() throws {
    let bytes = Array(Self.line.utf8)
    for place in bytes.indices {
      for byte in [0x00, 0x22, 0x2C, 0x2D, 0x39, 0x5D, 0xFF] as [UInt8] {
        var damaged = bytes
        damaged[place] = byte
        for content in [damaged, Array(damaged[..<place])] {
          do throws(Refusal) {
            let states = try SumoStateFile.states(in: Data(content), path: "s")
            for state in states { _ = (state.hazard.prediction, state.leftLane) }
            _ = try IoVWorld(states: states, path: "s")
          } catch { #expect(!error.description.isEmpty) }
        }
      }
    }
  }

  @Test func fewWorldsAreRefused() throws {
    let states = try read(Self.line)
    let error = #expect(throws: Refusal.self) { try IoVWorld(states: states, path: "s.jsonl") }
    #expect(
      try #require(error).description.hasPrefix(
        "s.jsonl: has usable states of 1 worlds, but training, validation and test need 3"))
  }

  /// A few states have few texts, so many episodes are refused and not searched for without end.
  @Test func tooManyEpisodesForTheStatesAreRefused() throws {
    let text = (0..<3).map { Self.line.replacing("\"world\":3", with: "\"world\":\($0)") }.joined(
      separator: "\n")
    let world = try IoVWorld(states: read(text), path: "s.jsonl")
    #expect(try world.splits(episodes: 10, seed: 1, noise: [:]).train.count == 8)
    let error = #expect(throws: Refusal.self) { try world.splits(episodes: 10_000, seed: 1, noise: [:]) }
    #expect(try #require(error).description.hasPrefix("episodes: the states have no more than "))
  }
}
