/// Why an emulated cluster was not set up, or not taken down.
public struct EmulationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file, command or thing of the system that it is about.
  public let place: String
  /// What is wrong.
  public let problem: String
  /// What to do about it.
  public let remedy: String

  /// An error.
  public init(_ place: String, _ problem: String, _ remedy: String) {
    (self.place, self.problem, self.remedy) = (place, problem, remedy)
  }

  /// One line: where, what is wrong, what to do.
  public var description: String { "\(place): \(problem); \(remedy)" }
}
