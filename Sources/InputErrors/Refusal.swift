/// Why input was refused and what to do about it.
package struct Refusal: InputError, Equatable {
  /// The file, option, device or setting; `nil` if the problem names it.
  package let place: String?
  /// What is wrong.
  package let problem: String
  /// What to do about it.
  package let remedy: String

  package init(_ place: String, _ problem: String, _ remedy: String) {
    (self.place, self.problem, self.remedy) = (place, problem, remedy)
  }

  /// Creates a refusal whose problem already names the place.
  package init(_ problem: String, _ remedy: String) {
    (place, self.problem, self.remedy) = (nil, problem, remedy)
  }

  /// The same refusal, with the file or folder that contains the place.
  package func within(_ outer: String) -> Refusal {
    Refusal(place.map { "\(outer): \($0)" } ?? outer, problem, remedy)
  }

  /// One line with the place, the problem and the fix.
  package var description: String { (place.map { "\($0): " } ?? "") + "\(problem); \(remedy)" }
}
