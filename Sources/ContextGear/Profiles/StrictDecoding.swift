import InputErrors

extension Decoder {
  /// An error at a path in the data.
  func refusal(_ path: [any CodingKey], _ problem: String, _ remedy: String) -> Refusal {
    let place = path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    return Refusal(place, problem, remedy)
  }
}
