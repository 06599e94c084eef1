/// The phrases for each fact, several per fact. No phrase describes two facts, so a text is unambiguous.
enum RelayLanguage {
  /// The names of the stations.
  static let stations = [
    "ash", "birch", "cedar", "dale", "elm", "ford", "grove", "heath", "iris", "juniper", "knoll", "larch",
    "maple",
    "north", "oak", "pine", "quarry", "rowan", "spruce", "thorn", "upland", "vale", "willow", "yew",
  ]

  static func arrival(_ track: Track) -> [String] {
    switch track {
    case .one: ["arrives on track one", "comes in on the first track"]
    case .two: ["arrives on track two", "comes in on the second track"]
    case .three: ["arrives on track three", "comes in on the third track"]
    }
  }

  static func handle(_ handle: Handle) -> [String] {
    switch handle {
    case .left: ["handle left", "handle to the left"]
    case .right: ["handle right", "handle to the right"]
    }
  }

  /// The station from which the wagon is called.
  static func call(_ station: String) -> [String] {
    ["the wagon from \(station) goes on", "take the wagon of \(station)"]
  }

  static let remarks = [
    "rain on the rails", "signal lamp lit", "brakes tested", "driver changed", "doors locked", "load secured",
  ]
}
