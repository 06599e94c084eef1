import Datasets
import Testing

/// A second implementation of the worlds of stations, independent of the library: reads the facts from an episode's
/// texts, and moves the wagon by its own arithmetic.
struct RelayReading {
  let episode: Episode

  private static let tracks = ["track one", "track two", "track three"]

  /// The track of `task`, which is number `index` from 0, given its parents' tracks.
  func track(_ task: DatasetTask, _ index: Int, parents: [String: String]) throws -> String {
    let text = try Texts.text(episode, "\(task.name) log")
    func turned(_ track: String?, _ count: Int) throws -> String {
      let place = try #require(Self.tracks.firstIndex { $0 == track })
      return Self.tracks[(place + count + 30) % 3]
    }
    switch task.parents.count {
    case 0:
      return try Texts.meaning(
        of: text,
        [
          "track one": ["track one", "first"], "track two": ["track two", "second"],
          "track three": ["track three", "third"],
        ])
    case 1:
      let position = try Texts.meaning(
        of: text, ["0": ["handle left", "the left"], "1": ["handle right", "the right"]])
      let track = try #require(parents[task.parents[0]])
      // The two tracks that are exchanged here, at one position of the handle.
      let exchanged = [[1, 2], [0, 2], [0, 1]][index % 3].map { Self.tracks[$0] }
      guard try #require(Int(position)) != index % 2, exchanged.contains(track) else { return track }
      return exchanged[0] == track ? exchanged[1] : exchanged[0]
    default:
      let called = task.parents.filter { text.contains("from \($0) ") || text.contains("wagon of \($0)") }
      try #require(called.count == 1)
      return try turned(parents[called[0]], index / 3)
    }
  }

  /// The handle or the call, in words, of a task with parents.
  func reading(_ task: DatasetTask) throws -> String {
    let text = try Texts.text(episode, "\(task.name) log")
    let words = ["left", "right"] + task.parents.map { " \($0)" }
    let found = words.filter { text.contains($0) }
    try #require(found.contains { text.contains($0) })
    return found[0]
  }
}
