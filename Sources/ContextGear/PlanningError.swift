/// Input that no plan can be made from: where, what, and what to do.
public struct PlanningError: Error, CustomStringConvertible, Equatable, Sendable {
  /// The file, option or device.
  public let place: String
  /// What is wrong with it.
  public let problem: String
  /// What to do about it.
  public let remedy: String

  /// Takes the three parts of the message.
  public init(_ place: String, _ problem: String, _ remedy: String) {
    self.place = place
    self.problem = problem
    self.remedy = remedy
  }

  /// One line.
  public var description: String { "\(place): \(problem); \(remedy)" }
}
